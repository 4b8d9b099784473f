"""Calls to the queue's functions, with asyncpg's errors translated."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import asyncpg

from libs.common.database.errors import translated
from libs.common.database.migrations import migrate
from libs.common.database.pool import open_pool
from libs.common.database.statements import statements
from libs.common.errors import PermanentError, TransientError

SCHEMA = "broker"
SQL = "libs.common.broker.postgres.sql"

#: A claim or settlement that takes longer counts as unreachable.
CALL_TIMEOUT_SECONDS = 10.0
_CLOSE_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Depth:
    """How much a queue holds."""

    queue: str
    #: May be handed out now, is being handled, waits for its retry, was given up on.
    ready: int
    held: int
    delayed: int
    dead: int
    oldest_ready_seconds: float


class Session:
    """The named statements of the queue on a pool of connections."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._statements = statements(SQL)

    async def fetch(
        self, name: str, *args: object, timeout_seconds: float = CALL_TIMEOUT_SECONDS
    ) -> list[asyncpg.Record]:
        """Run a named statement.

        Raises:
            TransientError: `broker_unreachable`; `no_queue` where nothing is declared at all.
            PermanentError: `refused`, `message_too_large`, `conflict`.
        """
        with broker_errors():
            # The limit holds for getting a connection, too.
            async with asyncio.timeout(timeout_seconds):
                rows: list[asyncpg.Record] = await self._pool.fetch(self._statements[name], *args)
                return rows

    async def fetch_value(self, name: str, *args: object) -> object:
        """Run a named statement that returns one value. Errors as `fetch`."""
        rows = await self.fetch(name, *args)
        return rows[0][0]

    async def migrate(self) -> None:
        """Bring the schema up to date, as its owner. Errors as `fetch`."""
        with broker_errors():
            await migrate(self._pool, SQL)


@asynccontextmanager
async def connected(
    dsn: str, *, max_size: int, longest_call_seconds: float = CALL_TIMEOUT_SECONDS
) -> AsyncIterator[Session]:
    """Open the queue as the role that `dsn` names.

    Raises:
        TransientError: `broker_unreachable`.
    """
    with broker_errors():
        pool = await open_pool(
            dsn, schema=SCHEMA, max_size=max_size, command_timeout_seconds=longest_call_seconds
        )
    try:
        yield Session(pool)
    finally:
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_SECONDS):
                await pool.close()
        except TimeoutError:
            pool.terminate()


@contextmanager
def broker_errors() -> Iterator[None]:
    """Raise our own errors for whatever Postgres answers; see `Session.fetch`."""
    try:
        with translated():
            yield
    except TransientError as error:
        raise TransientError("broker_unreachable", error.detail) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise PermanentError("refused", str(error)) from error
    except asyncpg.ProgramLimitExceededError as error:
        raise PermanentError("message_too_large") from error
    except asyncpg.DuplicateObjectError as error:
        raise PermanentError("conflict", str(error)) from error
    except (asyncpg.UndefinedFunctionError, asyncpg.InvalidSchemaNameError) as error:
        raise TransientError("no_queue", "the broker's schema is not declared") from error
    except asyncpg.PostgresError as error:
        # Whatever else it is (a role whose password was changed, a disk that is full), the loops
        # must outlive it.
        raise TransientError("broker_unreachable", type(error).__name__) from error
