"""The tokens that were ever configured, in Postgres."""

from collections.abc import Collection
from datetime import datetime

import asyncpg

from libs.common.database.errors import translated
from libs.common.database.statements import statements

_SQL = "services.ingest.adapters.sql"


class PostgresKnownTokens:
    """See `KnownTokens`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = statements(_SQL)

    async def remember(self, tokens: Collection[str], at: datetime) -> None:
        """See `KnownTokens.remember`."""
        with translated():
            await self._pool.execute(self._sql["remember_tokens"], sorted(tokens), at)

    async def was_known(self, token: str) -> bool:
        """See `KnownTokens.was_known`."""
        with translated():
            return bool(await self._pool.fetchval(self._sql["find_token"], token))
