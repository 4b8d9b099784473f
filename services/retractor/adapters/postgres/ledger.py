"""The ledger's transactions. See `ports.ledger`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg

from libs.common.database.errors import translated
from services.retractor.adapters.postgres.answers import PostgresAnswers, PostgresUsage
from services.retractor.adapters.postgres.mail import PostgresKnownMail
from services.retractor.adapters.postgres.retractions import PostgresRetractions
from services.retractor.adapters.postgres.rows import SQL, storable
from services.retractor.adapters.postgres.work import (
    PostgresCopyStates,
    PostgresProgress,
    PostgresWork,
)
from services.retractor.ports.ledger import Transaction


class PostgresLedger:
    """See `Ledger`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def transaction(
        self, tenant: str = "", subjects: Sequence[str] = ()
    ) -> AsyncIterator[Transaction]:
        """See `Ledger.transaction`. Locks are taken in sorted order: no deadlock among handlers."""
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                for subject in sorted({f"{tenant}\n{storable(subject)}" for subject in subjects}):
                    await connection.execute(SQL["lock_subject"], subject)
                yield Transaction(
                    mail=PostgresKnownMail(connection),
                    retractions=PostgresRetractions(connection),
                    work=PostgresWork(connection),
                    progress=PostgresProgress(connection),
                    states=PostgresCopyStates(connection),
                    answers=PostgresAnswers(connection),
                    usage=PostgresUsage(connection),
                )
