"""A clock that tests move by hand. Twin of `libs.common.clock.SystemClock`."""

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from itertools import count

#: How often `advance` lets other tasks run before it looks for new sleepers.
_TURNS = 20


class FakeClock:
    """See `Clock`. Sleepers wake when `advance` passes their instant, in order."""

    def __init__(self, now: datetime = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)) -> None:
        self._now = now
        self._monotonic = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()

    def now(self) -> datetime:
        """See `Clock.now`."""
        return self._now

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return self._monotonic

    @property
    def sleepers(self) -> int:
        """How many tasks wait on this clock."""
        return sum(1 for _, _, waiter in self._sleepers if not waiter.done())

    async def sleep(self, seconds: float) -> None:
        """See `Clock.sleep`."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._monotonic + seconds, next(self._order), waiter))
        await waiter

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass, waking sleepers on the way, those included that begin meanwhile."""
        target = self._monotonic + seconds
        await _turns()
        while self._sleepers and self._sleepers[0][0] <= target:
            at, _, waiter = heapq.heappop(self._sleepers)
            self._move_to(at)
            if not waiter.done():
                waiter.set_result(None)
            await _turns()
        self._move_to(target)

    def _move_to(self, monotonic: float) -> None:
        self._now += timedelta(seconds=monotonic - self._monotonic)
        self._monotonic = monotonic


async def _turns() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)
