"""Connections of one service to its own schema."""

import asyncpg

from libs.common.database.errors import translated

#: A connection attempt that takes longer counts as unreachable.
CONNECT_TIMEOUT_SECONDS = 10.0
#: No statement of ours runs longer; a lock that is held longer is a bug to be seen.
COMMAND_TIMEOUT_SECONDS = 60.0


async def open_pool(
    dsn: str,
    *,
    schema: str,
    max_size: int = 10,
    application: str = "undeliver",
    command_timeout_seconds: float = COMMAND_TIMEOUT_SECONDS,
) -> asyncpg.Pool:
    """Open a pool whose connections see `schema` only; close it with `await pool.close()`.

    Before a server that stands still, a cancelled statement ends no sooner than a timed-out one:
    asyncpg waits as long again for the server to hear of it. Who has somebody waiting for an answer
    takes a short `command_timeout_seconds`.

    Raises:
        TransientError: `database_unreachable`.
    """
    with translated():
        return await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=max_size,
            timeout=CONNECT_TIMEOUT_SECONDS,
            command_timeout=command_timeout_seconds,
            server_settings={
                "search_path": schema,
                "application_name": application,
                "timezone": "UTC",
                "jit": "off",  # our statements are short: compiling them costs more than it saves
            },
        )
