"""Which blobs the book of report keys names, and which days of the store were compared with it."""

from collections.abc import Sequence

import asyncpg

from libs.common.database.errors import translated
from libs.common.database.statements import statements
from services.ingest.domain.sweeping import BookState

_SQL = "services.ingest.adapters.sql"


class PostgresBlobBook:
    """See `BlobBook`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = statements(_SQL, "sweep.sql")

    async def state(self) -> BookState:
        """See `BlobBook.state`."""
        with translated():
            row = await self._pool.fetchrow(self._sql["book_state"])
        return BookState(row["now"], row["is_empty"])

    async def unswept(self, days: Sequence[str]) -> Sequence[str]:
        """See `BlobBook.unswept`."""
        with translated():
            rows = await self._pool.fetch(self._sql["unswept_days"], days)
        return [row["day"] for row in rows]

    async def unknown(self, store_keys: Sequence[str]) -> Sequence[str]:
        """See `BlobBook.unknown`."""
        with translated():
            rows = await self._pool.fetch(self._sql["unknown_blobs"], store_keys)
        return [row["store_key"] for row in rows]

    async def mark_swept(self, days: Sequence[str]) -> None:
        """See `BlobBook.mark_swept`."""
        with translated():
            await self._pool.execute(self._sql["mark_swept"], days)
