"""The book of report keys in Postgres."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import asyncpg

from libs.common.database.errors import translated
from libs.common.database.statements import statements
from libs.common.errors import TransientError
from services.ingest.domain.reception import Encryption, Entry, Reception

SQL = "services.ingest.adapters.sql"

#: A client waits for its reply: a database that stands still must not keep it.
ANSWER_SECONDS = 10.0


class PostgresReportKeys:
    """See `ReportKeys`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = statements(SQL)

    async def find(self, report_key: str) -> Entry | None:
        """See `ReportKeys.find`."""
        async with _answered():
            row = await self._pool.fetchrow(self._sql["find"], report_key)
        return None if row is None else _entry(row)

    async def enter(self, entry: Entry) -> Entry:
        """See `ReportKeys.enter`."""
        reception = entry.reception
        async with _answered():
            is_new = await self._pool.fetchval(
                self._sql["enter"],
                entry.report_key,
                entry.tenant,
                entry.original_sha256,
                entry.envelope_sha256,
                reception.listener,
                reception.peer,
                reception.encryption is not None,
                *_columns(reception.encryption),
                reception.proof,
                reception.store_key,
                reception.sha256,
                reception.size_bytes,
                reception.original_offset,
                reception.received_at,
            )
        if is_new:
            return entry
        known = await self.find(entry.report_key)
        if known is None:
            raise TransientError("database_conflict", "an entry vanished")
        return known

    async def mark_published(self, report_key: str, at: datetime) -> None:
        """See `ReportKeys.mark_published`.

        Not flushed for itself: after a crash without it, a repetition announces the same again.
        """
        async with _answered():
            await self._pool.execute(self._sql["mark_published"], report_key, at)

    async def check(self) -> None:
        """Return if the database answers: a readiness check.

        Raises:
            TransientError: `database_unreachable`.
        """
        async with _answered():
            await self._pool.fetchval("select 1")


def _entry(row: asyncpg.Record) -> Entry:
    return Entry(
        report_key=row["report_key"],
        tenant=row["tenant"],
        original_sha256=row["original_sha256"],
        envelope_sha256=row["envelope_sha256"],
        reception=Reception(
            listener=row["listener"],
            peer=row["peer"],
            encryption=_encryption(row),
            proof=row["proof"],
            store_key=row["store_key"],
            sha256=row["sha256"],
            size_bytes=row["size_bytes"],
            original_offset=row["original_offset"],
            received_at=row["received_at"],
        ),
        published_at=row["published_at"],
    )


def _columns(encryption: Encryption | None) -> tuple[str | None, str | None]:
    return (None, None) if encryption is None else (encryption.version, encryption.cipher)


def _encryption(row: asyncpg.Record) -> Encryption | None:
    version, cipher = row["tls_version"], row["tls_cipher"]
    return None if version is None or cipher is None else Encryption(version, cipher)


@asynccontextmanager
async def _answered() -> AsyncIterator[None]:
    """Bound the wait, for a free connection, too, and raise our own errors."""
    with translated():
        async with asyncio.timeout(ANSWER_SECONDS):
            yield
