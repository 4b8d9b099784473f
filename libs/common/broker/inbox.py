"""Deduplication: which messages a service has been told, and with which body."""

from datetime import datetime
from typing import Protocol

import asyncpg

from libs.common.database.errors import translated
from libs.common.database.migrations import migrate
from libs.common.database.statements import statements

_SQL = "libs.common.broker.inbox_sql"
_FORGET_AT_ONCE = 5000


class Inbox(Protocol):
    """The messages that a service has been told."""

    async def admit(self, publisher: str, message_id: str, body_sha256: bytes) -> bool:
        """Remember a message; False where the same key came with another body before.

        The same body again is admitted again: handlers are idempotent, the first run may have been
        cut short.

        Raises:
            TransientError: `database_unreachable`.
        """

    async def forget(self, before: datetime) -> None:
        """Forget what was first seen before an instant: a key lives as long as retries may.

        Raises:
            TransientError: `database_unreachable`.
        """


class PostgresInbox:
    """See `Inbox`. A table in the service's own schema."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._statements = statements(_SQL)

    @classmethod
    async def open(cls, pool: asyncpg.Pool) -> "PostgresInbox":
        """Return the inbox in the pool's schema, with its table made where it is missing.

        Raises:
            TransientError: `database_unreachable`.
        """
        await migrate(pool, _SQL)
        return cls(pool)

    async def admit(self, publisher: str, message_id: str, body_sha256: bytes) -> bool:
        """See `Inbox.admit`."""
        with translated():
            return bool(
                await self._pool.fetchval(
                    self._statements["admit"], publisher, message_id, body_sha256
                )
            )

    async def forget(self, before: datetime) -> None:
        """See `Inbox.forget`."""
        with translated():
            while True:
                tag = await self._pool.execute(self._statements["forget"], before, _FORGET_AT_ONCE)
                if tag == "DELETE 0":
                    return
