"""What a service of its own process stands on, opened one after the other."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from libs.common.blobs.opening import open_blobs
from libs.common.blobs.port import Blobs, BlobStore
from libs.common.broker.beside import beside
from libs.common.broker.opening import PUBLISH_TIMEOUT_SECONDS, BrokerAddress, open_broker
from libs.common.broker.port import Broker
from libs.common.clock import Clock
from libs.common.database.pool import reach
from libs.common.errors import TransientError
from libs.common.hosting.in_force import announce_configuration
from libs.common.hosting.start import Start
from libs.common.tenants.current import CurrentConfiguration

BLOBS, BROKER, DATABASE = "blobs", "broker", "database"

#: A full store must not keep ingest from starting: it is ingest that deletes what is overdue.
_FULL = "blob_store_full"


@dataclass(frozen=True, slots=True)
class Ground:
    """Opens what is there; where it is not, the start waits, and comes again."""

    configuration: CurrentConfiguration
    clock: Clock
    _service: str
    _address: BrokerAddress = field(repr=False)
    _postgres_dsn: str = field(repr=False)
    _start: Start = field(repr=False)

    @asynccontextmanager
    async def blobs(self, url: str) -> AsyncIterator[BlobStore]:
        """Open the store for raw mail. First of all: a wrong URL is told before any waiting.

        Raises:
            ConfigurationError: not the URL of a store.
            StartError: a local folder cannot be written.
            TransientError: it does not answer.
        """
        async with AsyncExitStack() as held:
            with self._start.step(BLOBS):
                blobs = await held.enter_async_context(open_blobs(url))
                await usable(blobs)
            yield blobs

    @asynccontextmanager
    async def broker(
        self, *, publish_timeout_seconds: float = PUBLISH_TIMEOUT_SECONDS
    ) -> AsyncIterator[Broker]:
        """Connect to the broker as this service, and say there which configuration is in force.

        Raises:
            TransientError: `broker_unreachable`.
        """
        async with AsyncExitStack() as held:
            with self._start.step(BROKER):
                opening = open_broker(
                    self._address,
                    clock=self.clock,
                    publish_timeout_seconds=publish_timeout_seconds,
                )
                broker = await held.enter_async_context(opening)
            async with beside(
                announce_configuration(self.configuration, broker, self._service, self.clock)
            ):
                yield broker

    async def database(self) -> str:
        """Return the address of the service's database, once it answers.

        Raises:
            TransientError: `database_unreachable`.
        """
        with self._start.step(DATABASE):
            await reach(self._postgres_dsn)
        return self._postgres_dsn


async def usable(blobs: Blobs) -> None:
    """Return if mail can be read, though perhaps no more can be stored; a readiness check.

    Raises:
        TransientError: `blob_store_unavailable`.
    """
    try:
        await blobs.check()
    except TransientError as error:
        if error.reason != _FULL:
            raise
