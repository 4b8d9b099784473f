"""Wake-ups across processes, by NOTIFY and LISTEN."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress

import asyncpg

from libs.common.broker.postgres.session import Session, broker_errors
from libs.common.broker.postgres.wakeups import Wakeups
from libs.common.clock import Clock
from libs.common.errors import UndeliverError

CHANNEL = "undeliver_broker"

#: At most one notification per queue in this time. A NOTIFY inside the publishing transaction would
#: be simpler, but it makes all commits of the server wait for each other.
_PAUSE_SECONDS = 0.01
_RECONNECT_SECONDS = 1.0
_CONNECT_TIMEOUT_SECONDS = 10.0


class Notifications:
    """Tells other processes which queues got something, and hears it from them.

    What goes missing costs a poll of the consumer, never a message, so errors are not reported.
    """

    def __init__(self, dsn: str, session: Session, wakeups: Wakeups, clock: Clock) -> None:
        self._dsn = dsn
        self._session = session
        self._wakeups = wakeups
        self._clock = clock
        self._unsaid: set[str] = set()
        self._something_unsaid = asyncio.Event()
        self._somebody_listens = asyncio.Event()

    def say(self, queues: Iterable[str]) -> None:
        """Notify other processes soon."""
        self._unsaid.update(queues)
        self._something_unsaid.set()

    def want(self) -> None:
        """Begin to listen: this process has a consumer."""
        self._somebody_listens.set()

    async def saying(self) -> None:
        """Send what `say` collected."""
        while True:
            await self._something_unsaid.wait()
            self._something_unsaid.clear()
            queues, self._unsaid = self._unsaid, set()
            with suppress(UndeliverError):
                await self._session.fetch("notify", CHANNEL, sorted(queues))
            await self._clock.sleep(_PAUSE_SECONDS)

    async def hearing(self) -> None:
        """Ring the bells of this process for what others say, over a connection of its own."""
        await self._somebody_listens.wait()
        while True:
            with suppress(UndeliverError), broker_errors():
                await self._hear_until_lost()
            await self._clock.sleep(_RECONNECT_SECONDS)

    async def _hear_until_lost(self) -> None:
        lost = asyncio.Event()
        connection = await asyncpg.connect(self._dsn, timeout=_CONNECT_TIMEOUT_SECONDS)
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(CHANNEL, self._heard)
            self._wakeups.ring_all()  # whatever was said while nobody heard
            await lost.wait()
        finally:
            connection.terminate()

    def _heard(self, _: object, __: int, ___: str, queue: object) -> None:
        self._wakeups.ring([str(queue)])
