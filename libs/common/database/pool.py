"""Connections of one service to its own schema."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import structlog

from libs.common.broker.beside import beside
from libs.common.database.errors import translated

#: A connection attempt that takes longer counts as unreachable.
CONNECT_TIMEOUT_SECONDS = 10.0
#: No statement of ours runs longer; a lock that is held longer is a bug to be seen.
COMMAND_TIMEOUT_SECONDS = 60.0
#: A process that stands still, or whose machine is gone, holds the locks of its transactions: after
#: this, the server takes them away, or no other replica could do its work.
STALL_SECONDS = 15.0
#: A server that stands still answers no farewell.
_CLOSE_TIMEOUT_SECONDS = 5.0
#: How long statements may go on once their process is told to stop: well within its grace period,
#: with all that is closed after them.
STOP_SECONDS = 5.0
_LOOK_EVERY_SECONDS = 0.5

_log = structlog.get_logger()


async def open_pool(
    dsn: str,
    *,
    schema: str,
    max_size: int = 10,
    application: str = "undeliver",
    command_timeout_seconds: float = COMMAND_TIMEOUT_SECONDS,
    stall_seconds: float | None = None,
) -> asyncpg.Pool:
    """Open a pool whose connections see `schema` only; close it with `await pool.close()`.

    Before a server that stands still, a cancelled statement ends no sooner than a timed-out one:
    asyncpg waits as long again for the server to hear of it. Who has somebody waiting for an answer
    takes a short `command_timeout_seconds`. With `stall_seconds`, the server ends transactions of
    ours that do nothing for so long.

    Raises:
        TransientError: `database_unreachable`.
    """
    with translated():
        pool = await asyncpg.create_pool(
            dsn,
            min_size=0,  # else asyncpg complains of each look for a server that is away
            max_size=max_size,
            timeout=CONNECT_TIMEOUT_SECONDS,
            command_timeout=command_timeout_seconds,
            server_settings={
                "search_path": schema,
                "application_name": application,
                "timezone": "UTC",
                "jit": "off",  # our statements are short: compiling them costs more than it saves
                **_limits(command_timeout_seconds, stall_seconds),
            },
        )
        try:
            async with pool.acquire():
                return pool
        except BaseException:
            pool.terminate()
            raise


@asynccontextmanager
async def pooled(
    dsn: str,
    *,
    schema: str,
    max_size: int = 10,
    application: str = "undeliver",
    command_timeout_seconds: float = COMMAND_TIMEOUT_SECONDS,
    stall_seconds: float = STALL_SECONDS,
    stop_seconds: float = STOP_SECONDS,
) -> AsyncIterator[asyncpg.Pool]:
    """Give a service its pool, as `open_pool` does; closed in bounded time, whatever happens.

    `stop_seconds` after the task that entered was cancelled, the connections are cut that others
    still use.

    Raises:
        TransientError: `database_unreachable`.
    """
    pool = await open_pool(
        dsn,
        schema=schema,
        max_size=max_size,
        application=application,
        command_timeout_seconds=command_timeout_seconds,
        stall_seconds=stall_seconds,
    )
    owner = asyncio.current_task()
    assert owner is not None  # noqa: S101 - a coroutine that runs has a task
    try:
        async with beside(_cutting(pool, owner, stop_seconds)):
            yield pool
    finally:
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_SECONDS):
                await pool.close()
        except TimeoutError:
            pool.terminate()


async def _cutting(pool: asyncpg.Pool, owner: "asyncio.Task[object]", stop_seconds: float) -> None:
    # A statement before a server that stands still does not end when it is cancelled: asyncpg waits
    # for the server to hear of it.
    while not owner.cancelling():  # noqa: ASYNC110 - the body ends last, and nothing else tells
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
    await asyncio.sleep(stop_seconds)
    _log.warning("database_connections_cut", after_seconds=stop_seconds)
    pool.terminate()


async def check_database(pool: asyncpg.Pool) -> None:
    """Return if the database answers; a readiness check.

    Raises:
        TransientError: `database_unreachable`.
    """
    with translated():
        await pool.fetchval("select 1")


async def reach(dsn: str) -> None:
    """Return if the database lets us in.

    Raises:
        TransientError: `database_unreachable`.
    """
    with translated():
        connection = await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_SECONDS)
        await connection.close(timeout=_CLOSE_TIMEOUT_SECONDS)


def _limits(command_timeout_seconds: float, stall_seconds: float | None) -> dict[str, str]:
    """Return the settings by which the server ends what we have left standing."""
    if stall_seconds is None:
        return {}
    # Between the messages of one statement, only the limit of the statement counts.
    statement_seconds = max(command_timeout_seconds, stall_seconds)
    return {
        "idle_in_transaction_session_timeout": f"{round(stall_seconds * 1000)}ms",
        "statement_timeout": f"{round(statement_seconds * 1000)}ms",
    }
