"""Which raw mail is still in the store, by the book of report keys."""

from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg

from libs.common.database.errors import translated
from libs.common.database.statements import statements
from services.ingest.domain.retention import KeptRaw

_SQL = "services.ingest.adapters.sql"

#: Before all others.
_FIRST = (datetime.min.replace(tzinfo=UTC), "")


class PostgresKeptMail:
    """See `KeptMail`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = statements(_SQL)

    async def tenants(self) -> Sequence[str]:
        """See `KeptMail.tenants`."""
        with translated():
            rows = await self._pool.fetch(self._sql["tenants_with_raw_mail"])
        return [row["tenant"] for row in rows]

    async def received_before(
        self, tenant: str | None, before: datetime, limit: int, after: KeptRaw | None = None
    ) -> Sequence[KeptRaw]:
        """See `KeptMail.received_before`."""
        behind = (after.received_at, after.report_key) if after else _FIRST
        with translated():
            if tenant is None:
                sql = self._sql["raw_mail_of_nobody_before"]
                rows = await self._pool.fetch(sql, before, limit, *behind)
            else:
                sql = self._sql["raw_mail_before"]
                rows = await self._pool.fetch(sql, tenant, before, limit, *behind)
        return [KeptRaw(row["report_key"], row["store_key"], row["received_at"]) for row in rows]

    async def mark_deleted(self, report_keys: Sequence[str], at: datetime) -> None:
        """See `KeptMail.mark_deleted`."""
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(self._sql["mark_raw_deleted"], report_keys, at)
                await connection.execute(self._sql["forget_unpublished"], report_keys)
