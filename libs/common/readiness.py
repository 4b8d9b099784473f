"""Checks of what a process needs to work, asked by many and run once at a time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import structlog

from libs.common.broker.beside import beside
from libs.common.errors import UndeliverError

#: Returns when what it looks at works, raises when not. `UndeliverError.reason` is shown.
Check = Callable[[], Awaitable[object]]

_log = structlog.get_logger()


class WatchedCheck:
    """One check with a time limit that holds even where the check cannot be cancelled at once.

    A driver may wait for a server that stands still before it lets go. Whoever asks meanwhile is
    told `timed_out`, and no second run is begun.
    """

    def __init__(self, check: Check, timeout_seconds: float) -> None:
        self._check = check
        self._timeout_seconds = timeout_seconds
        self._wanted = asyncio.Event()
        self._answer: asyncio.Future[str] | None = None

    async def state(self) -> str:
        """Return `ok` or a constant code: strangers may read it."""
        if self._answer is None or self._answer.done():
            self._answer = asyncio.get_running_loop().create_future()
            self._wanted.set()
        answered, _ = await asyncio.wait([self._answer], timeout=self._timeout_seconds)
        return self._answer.result() if answered else "timed_out"

    async def run(self) -> None:
        """Answer until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            state = await self._run_once()
            if self._answer is not None and not self._answer.done():
                self._answer.set_result(state)

    async def _run_once(self) -> str:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._check()
        except UndeliverError as error:
            return error.reason
        except TimeoutError:
            return "timed_out"
        except Exception as error:  # noqa: BLE001 - a check that fails is not ready, however it fails
            _log.warning("readiness_check_failed", exc_info=error)
            return "failed"
        return "ok"


class Readiness:
    """The checks that count now, which change as a process starts and runs."""

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._layers: list[dict[str, WatchedCheck]] = []

    @asynccontextmanager
    async def asking(self, checks: Mapping[str, Check]) -> AsyncIterator[None]:
        """Ask these, and no others, while the body runs."""
        layer = {name: WatchedCheck(check, self._timeout_seconds) for name, check in checks.items()}
        self._layers.append(layer)
        try:
            async with beside(*(check.run() for check in layer.values())):
                yield
        finally:
            self._layers.remove(layer)

    async def states(self) -> Mapping[str, str]:
        """Return the state of each check, asked now: `ok`, or why not."""
        checks = dict(self._layers[-1])
        states = await asyncio.gather(*(check.state() for check in checks.values()))
        return dict(zip(checks, states, strict=True))
