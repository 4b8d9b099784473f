"""Loops that run beside a body of code and end with it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager


@asynccontextmanager
async def beside(*loops: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Run endless loops while the body runs; leaving cancels them and waits for their end.

    The body's own exception stays what it is. A loop that fails cancels the body, and its error
    comes out in an `ExceptionGroup`: it is a bug, as loops deal with what is expected.
    """
    failure: BaseException | None = None
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(loop) for loop in loops]
        try:
            yield
        except BaseException as error:  # noqa: BLE001  # a TaskGroup would wrap it: raised below
            failure = error
        finally:
            for task in running:
                task.cancel()
    if failure is not None:
        raise failure
