"""One connection to RabbitMQ that comes back by itself.

The client's own robust connection is not used: it restores channels whose deliveries it no longer
holds, and a consumer that acknowledges by an old tag closes the new channel (docs/adr/0007).
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiormq
import structlog
from aiormq.abc import AbstractChannel, AbstractConnection
from yarl import URL

from libs.common.broker.beside import beside
from libs.common.broker.rabbitmq import metrics
from libs.common.broker.rabbitmq.errors import CONNECTION_ERRORS, broker_errors
from libs.common.broker.rabbitmq.transport import RepairingTransport
from libs.common.clock import Clock
from libs.common.errors import TransientError

#: The client gives a silent connection up after 3 × (this + 1) seconds: a half-open one is noticed
#: within some 20 s. RabbitMQ takes less than 5 s for too little (RabbitMQ, Heartbeats).
HEARTBEAT_SECONDS = 5
#: Longest wait for an answer to a request that stores nothing.
CALL_TIMEOUT_SECONDS = 10.0
#: Longest wait for each step of an end: all of them together have to fit into the grace period.
CLOSE_TIMEOUT_SECONDS = 3.0
_PAUSES_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

_log = structlog.get_logger()


class Link:
    """A connection, opened anew with growing pauses whenever it is lost."""

    def __init__(self, amqp_url: str, *, purpose: metrics.Purpose, clock: Clock) -> None:
        url = URL(amqp_url)
        self.publisher = url.user or ""
        self._url = url.update_query(
            {"heartbeat": str(HEARTBEAT_SECONDS), **url.query, "name": f"undeliver {purpose}"}
        )
        self._purpose: metrics.Purpose = purpose
        self._clock = clock
        self._connection: AbstractConnection | None = None
        #: Each connection's own: an old one may be slow to end.
        self._lost = asyncio.Event()
        self._is_up = asyncio.Event()

    async def open_channel(self, *, confirms: bool = False) -> AbstractChannel:
        """Return a new channel.

        Raises:
            TransientError: `broker_unreachable`.
        """
        connection, lost = self._connection, self._lost
        if connection is None:
            raise TransientError("broker_unreachable", "not connected")
        try:
            with broker_errors():
                async with asyncio.timeout(CALL_TIMEOUT_SECONDS):
                    return await connection.channel(
                        publisher_confirms=confirms, on_return_raises=True
                    )
        except TransientError:
            self._lose(lost)  # whatever it was, a new connection is the remedy
            raise

    async def until_up(self) -> None:
        """Return when there is a connection, as far as anybody knows."""
        await self._is_up.wait()

    async def connect(self) -> None:
        """Connect once.

        Raises:
            TransientError: `broker_unreachable`.
        """
        with broker_errors():
            async with asyncio.timeout(CALL_TIMEOUT_SECONDS):
                connection = await aiormq.connect(self._url, transport_factory=RepairingTransport())
        lost = asyncio.Event()
        connection.closing.add_done_callback(lambda _: self._lose(lost))
        self._connection, self._lost = connection, lost
        self._is_up.set()

    async def keeping(self) -> None:
        """Connect again after every loss, until cancelled; then close."""
        try:
            while True:
                await self._lost.wait()
                metrics.CONNECTIONS_LOST.labels(purpose=self._purpose).inc()
                _log.warning("broker_connection_lost", purpose=self._purpose)
                await self._close()
                await self._reconnect()
                _log.info("broker_connected", purpose=self._purpose)
        finally:
            await self._close()

    def _lose(self, lost: asyncio.Event) -> None:
        lost.set()
        if lost is self._lost:
            self._is_up.clear()

    async def _reconnect(self) -> None:
        failures = 0
        while True:
            longest = _PAUSES_SECONDS[min(failures, len(_PAUSES_SECONDS) - 1)]
            # Not all at the same instant: many services lose the same broker.
            await self._clock.sleep(longest * (0.5 + secrets.randbelow(500) / 1000))
            try:
                return await self.connect()
            except TransientError as error:
                if failures == 0:
                    _log.warning("broker_unreachable", purpose=self._purpose, detail=error.detail)
                failures += 1

    async def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with suppress(*CONNECTION_ERRORS):
            async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
                await connection.close()


@asynccontextmanager
async def linked(amqp_url: str, *, purpose: metrics.Purpose, clock: Clock) -> AsyncIterator[Link]:
    """Connect, and keep connected while the body runs.

    Raises:
        TransientError: `broker_unreachable`, at the first attempt.
    """
    link = Link(amqp_url, purpose=purpose, clock=clock)
    await link.connect()
    async with beside(link.keeping()):
        yield link


async def close_channel(channel: AbstractChannel) -> None:
    """Close a channel, whatever state it is in."""
    with suppress(TransientError), broker_errors():
        async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
            await channel.close()
