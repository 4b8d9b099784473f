"""Servers that live on an event loop of their own beside tests that wait."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

_START_SECONDS = 180.0
_CALL_SECONDS = 60.0


class Background:
    """An event loop in a thread. Postgres ends with the thread that started it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def call(self, work: Coroutine[Any, Any, T], seconds: float = _CALL_SECONDS) -> T:
        """Run something there and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    @contextmanager
    def holding(self, context: AbstractAsyncContextManager[T]) -> Iterator[T]:
        """Enter a context there, and leave it in the same task, as task groups demand."""
        entered: concurrent.futures.Future[T] = concurrent.futures.Future()
        leave = asyncio.Event()

        async def hold() -> None:
            try:
                async with context as value:
                    entered.set_result(value)
                    await leave.wait()
            except Exception as error:
                if entered.done():
                    raise
                entered.set_exception(error)

        held = asyncio.run_coroutine_threadsafe(hold(), self._loop)
        try:
            yield entered.result(_START_SECONDS)
        finally:
            self._loop.call_soon_threadsafe(leave.set)
            held.result(_CALL_SECONDS)


@contextmanager
def background() -> Iterator[Background]:
    """Give the loop while the context lasts."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield Background(loop)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
