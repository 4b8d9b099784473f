"""The ledger for people who only look: with the rights of `undeliver_cli`, nothing is changed."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg

from libs.common.database.errors import translated
from libs.common.database.pool import open_pool
from services.retractor.adapters.postgres.rows import SQL

Record = Mapping[str, object]


class Reading:
    """Looks into the ledger."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def newest(self, tenant: str | None, status: str | None, limit: int) -> Sequence[Record]:
        """Return retractions and restores, newest first.

        Raises:
            TransientError: `database_unreachable`.
        """
        with translated():
            found = await self._pool.fetch(SQL["list_retractions"], tenant, status, limit)
        return [dict(row) for row in found]

    async def one(self, retraction_id: UUID, tenant: str | None) -> Record | None:
        """Return one; of any tenant where none is named.

        Raises:
            TransientError: `database_unreachable`.
        """
        with translated():
            row = await self._pool.fetchrow(SQL["show_retraction"], retraction_id, tenant)
        return None if row is None else dict(row)

    async def copies(self, retraction_id: UUID, tenant: str | None) -> Sequence[Record]:
        """Return its copies, with folders by their well-known names.

        Raises:
            TransientError: `database_unreachable`.
        """
        with translated():
            found = await self._pool.fetch(SQL["show_copies"], retraction_id, tenant)
        return [dict(row) for row in found]


@asynccontextmanager
async def open_reading(dsn: str) -> AsyncIterator[Reading]:
    """Connect.

    Raises:
        TransientError: `database_unreachable`.
    """
    pool = await open_pool(dsn, schema="retractor", max_size=1, application="undeliver-cli")
    try:
        yield Reading(pool)
    finally:
        await pool.close()
