import asyncio

from libs.common.broker.beside import beside
from libs.common.readiness import WatchedCheck


async def test_a_check_that_cannot_be_cancelled_is_timed_out_for_everybody_and_run_once():
    begun, released = 0, asyncio.Event()

    async def frozen() -> None:
        nonlocal begun
        begun += 1
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue  # as a driver does that waits for its server first

    check = WatchedCheck(frozen, 0.02)
    async with beside(check.run()):
        async with asyncio.timeout(5):
            assert [await check.state(), await check.state()] == ["timed_out", "timed_out"]
        assert begun == 1
        released.set()
        async with asyncio.timeout(5):
            while await check.state() != "ok":
                pass


async def test_a_check_is_asked_anew_each_time():
    states = iter([None, OSError("gone"), None])

    async def changing() -> None:
        error = next(states)
        if error is not None:
            raise error

    check = WatchedCheck(changing, 5)
    async with beside(check.run()):
        assert [await check.state() for _ in range(3)] == ["ok", "failed", "ok"]
