"""What stands before any service runs: the database, its roles, the queues, the blob folder."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from libs.common.blobs.opening import open_blobs
from libs.common.blobs.port import BlobStore
from libs.common.broker.postgres.broker import PostgresBroker
from libs.common.broker.postgres.declaration import declare, recover_claims
from libs.common.broker.postgres.wakeups import Wakeups
from libs.common.broker.topology import UNDELIVER
from libs.common.clock import Clock
from libs.common.database.provisioning import create_database, provision, role_of
from libs.common.errors import ConfigurationError, TransientError
from libs.common.tenants.current import CurrentConfiguration
from libs.common.tenants.model import Configuration
from libs.embedded_postgres_server.server import Server, serve

_DATABASE = "undeliver"
_PAUSE_SECONDS = 1.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Foundation:
    """Where the services of one process stand."""

    server: Server
    blobs: BlobStore
    configuration: CurrentConfiguration
    clock: Clock
    #: One for all brokers of the process: what one publishes, another picks up at once.
    wakeups: Wakeups

    def dsn(self, publisher: str) -> str:
        """Return how this service, or this publisher, connects to the database."""
        return self.server.dsn(role_of(publisher), _DATABASE)

    async def provide_publishers(self) -> None:
        """Give each publisher that the configuration comes to name its role, until cancelled."""
        edition = self.configuration.edition
        while True:
            try:
                await _provide(self.server.dsn(database=_DATABASE), edition.configuration)
            except TransientError as error:
                _log.warning("publishers_not_provided", reason=error.reason)
                await self.clock.sleep(_PAUSE_SECONDS)
                continue
            except ConfigurationError as error:
                _log.error("publishers_not_provided", reason=str(error))
            edition = await edition.successor()

    @asynccontextmanager
    async def broker(self, publisher: str) -> AsyncIterator[PostgresBroker]:
        """Connect to the queues on behalf of one publisher."""
        async with PostgresBroker.open(
            self.dsn(publisher), topology=UNDELIVER, clock=self.clock, wakeups=self.wakeups
        ) as broker:
            yield broker


@asynccontextmanager
async def foundation(
    data_folder: Path,
    configuration: CurrentConfiguration,
    clock: Clock,
    *,
    binaries: Path | None = None,
) -> AsyncIterator[Foundation]:
    """Start what the services stand on; it ends with the context, or with the process.

    Raises:
        StartError: one sentence that says what is in the way.
        TransientError: the database does not answer.
    """
    blob_folder = data_folder / "blobs"
    async with (
        serve(data_folder / "postgres", binaries=binaries, clock=clock) as server,
        open_blobs(blob_folder.absolute().as_uri()) as blobs,
    ):
        await create_database(server.dsn(), _DATABASE)
        owner = server.dsn(database=_DATABASE)
        await _provide(owner, configuration.value)
        await declare(owner, UNDELIVER)
        # The folder's lock proves that nobody else consumes: what a killed process held is free.
        await recover_claims(owner)
        yield Foundation(server, blobs, configuration, clock, Wakeups())


async def _provide(owner_dsn: str, configuration: Configuration) -> None:
    await provision(owner_dsn, publishers=[each.name for each in configuration.publishers])
