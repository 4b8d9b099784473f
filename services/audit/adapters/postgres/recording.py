"""The log in Postgres. All of a batch is one transaction: records, heads and what search knows."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import asyncpg

from libs.common.database.errors import translated
from libs.common.database.statements import statements
from libs.common.errors import PoisonError, TransientError
from services.audit.domain.chain import Batch, Recording, append
from services.audit.domain.reconstruction import received_hash
from services.audit.domain.record import Entry, Head, Link, genesis

SQL_PACKAGE = "services.audit.adapters.sql"

_Placed = tuple[Entry, Link]


class PostgresAuditLog:
    """See `AuditLog`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = statements(SQL_PACKAGE)
        self._open: set[str] = set()

    async def record(self, entries: Sequence[Entry]) -> Sequence[Recording]:
        """See `AuditLog.record`."""
        chains = sorted({entry.chain for entry in entries})
        with _refused(), translated():
            async with self._pool.acquire() as connection, connection.transaction():
                heads = await self._lock(connection, chains)
                batch = append(entries, heads, await self._known(connection, entries))
                if batch.links:
                    await self._insert(connection, batch)
        self._open.update(chains)
        return batch.recordings

    async def _lock(
        self, connection: asyncpg.Connection, chains: Sequence[str]
    ) -> Mapping[str, Head]:
        new = [genesis(chain) for chain in chains if chain not in self._open]
        if new:
            await connection.execute(
                self._sql["open_chains"],
                [head.chain for head in new],
                [head.row_hash for head in new],
            )
        rows = await connection.fetch(self._sql["lock_heads"], chains)
        return {row["chain"]: Head(row["chain"], row["number"], row["row_hash"]) for row in rows}

    async def _known(
        self, connection: asyncpg.Connection, entries: Sequence[Entry]
    ) -> Mapping[tuple[str, str], Sequence[bytes | None]]:
        keys = sorted({entry.key for entry in entries})
        publishers, message_ids = zip(*keys, strict=True)
        rows = await connection.fetch(self._sql["known"], publishers, message_ids)
        known = defaultdict[tuple[str, str], list[bytes | None]](list)
        for row in rows:
            body = received_hash(row["body_kind"], row["content"])
            known[row["publisher"], row["message_id"]].append(body)
        return known

    async def _insert(self, connection: asyncpg.Connection, batch: Batch) -> None:
        links = batch.links
        await connection.execute(self._sql["insert_log"], *_log_columns(links))
        await connection.execute(
            self._sql["insert_personal"],
            *_places(links),
            [entry.salt for entry, _ in links],
            [entry.personal for entry, _ in links],
        )
        await connection.execute(
            self._sql["insert_entries"],
            *_places(links),
            [entry.properties.recorded_at for entry, _ in links],
            [entry.facts.section for entry, _ in links],
            [entry.facts.disposition for entry, _ in links],
            [entry.facts.outcome for entry, _ in links],
        )
        await connection.execute(self._sql["insert_marks"], *_mark_columns(links))
        await connection.execute(self._sql["move_heads"], *_head_columns(batch))


@contextmanager
def _refused() -> Iterator[None]:
    """Say that an entry cannot be stored, without quoting it.

    A unique violation is no fault of an entry: two recorders met, and one of them comes again.
    """
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise TransientError("database_conflict", "UniqueViolationError") from error
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
        raise PoisonError("record_refused", type(error).__name__) from None


def _places(links: Sequence[_Placed]) -> tuple[list[str], list[int]]:
    return [link.chain for _, link in links], [link.number for _, link in links]


def _log_columns(links: Sequence[_Placed]) -> tuple[Sequence[object], ...]:
    rows = [(entry.properties, entry.public, link) for entry, link in links]
    columns = zip(
        *(
            (
                link.chain,
                link.number,
                properties.format,
                properties.message_id,
                properties.type,
                properties.publisher,
                properties.tenant,
                properties.correlation_id,
                properties.causation_id,
                properties.app_id,
                properties.traceparent,
                properties.made_at,
                properties.recorded_at,
                properties.body_kind,
                ",".join(properties.flags),
                properties.refusal,
                properties.edition,
                public,
                link.personal_hash,
                link.previous_hash,
                link.row_hash,
            )
            for properties, public, link in rows
        ),
        strict=True,
    )
    return tuple(columns)


def _mark_columns(links: Sequence[_Placed]) -> tuple[Sequence[object], ...]:
    rows = [
        (mark.kind, mark.value, link.chain, link.number)
        for entry, link in links
        for mark in entry.facts.marks
    ]
    return tuple(zip(*rows, strict=True)) if rows else ([], [], [], [])


def _head_columns(batch: Batch) -> tuple[Sequence[object], ...]:
    recorded_at = {link.chain: entry.properties.recorded_at for entry, link in batch.links}
    return (
        [head.chain for head in batch.heads],
        [head.number for head in batch.heads],
        [head.row_hash for head in batch.heads],
        [recorded_at[head.chain] for head in batch.heads],
    )
