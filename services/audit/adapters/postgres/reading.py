"""The log for people: search, one record, a timeline, what is new, whole chains."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import datetime

import asyncpg

from libs.common.clock import Clock
from libs.common.database.errors import translated
from libs.common.database.statements import statements
from libs.common.errors import StartError
from services.audit.adapters.postgres.recording import SQL_PACKAGE
from services.audit.adapters.postgres.rows import head_of, record_of
from services.audit.domain.record import Head, Mark, Record
from services.audit.domain.search import Found, Query
from services.audit.domain.verification import LogWalk, Verification

#: Records in memory at a time while whole chains are read.
_CHUNK = 500

_LOOK_AGAIN_SECONDS = 1.0

Place = tuple[str, int]


class PostgresArchive:
    """Reads the log, and nothing else.

    Every method raises `TransientError` (`database_unreachable`) where nobody answers.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = statements(SQL_PACKAGE, "reading.sql")

    async def search(self, query: Query) -> Sequence[Found]:
        """Return the newest records that meet a query, newest first."""
        filters = (
            query.chain,
            query.section,
            query.type,
            query.disposition,
            query.outcome,
            query.publisher,
            query.flag,
            query.since,
            query.until,
            query.limit,
        )
        if not query.marks:
            return await self._found("search", *filters)
        kinds = [mark.kind for mark in query.marks]
        values = [mark.value for mark in query.marks]
        return await self._found("search_marked", *filters, kinds, values)

    async def at(self, place: Place, *, personal: bool = False) -> Sequence[Found]:
        """Return the record at a number of a chain, with its personal part if asked for."""
        return await self._found("show", *place, None, personal=personal)

    async def with_id(self, message_id: str, *, personal: bool = False) -> Sequence[Found]:
        """Return the records of a message id: several where publishers share it, or conflict."""
        return await self._found("show", None, None, message_id, personal=personal)

    async def timeline(self, mark: Mark, *, chain: str | None, limit: int) -> Sequence[Found]:
        """Return what concerns one message or retraction, causes and effects too, oldest first."""
        return await self._found("timeline", chain, mark.kind, mark.value, limit)

    async def after(self, seen: Mapping[str, int], *, limit: int) -> Sequence[Found]:
        """Return the next records of each chain after a number, in the order of recording."""
        return await self._found("after", list(seen), list(seen.values()), limit)

    async def heads(self, chain: str | None = None) -> Sequence[Head]:
        """Return the end of every chain, or of one."""
        with _there(), translated():
            return [head_of(row) for row in await self._pool.fetch(self._sql["heads"], chain)]

    async def ended_at(self) -> Mapping[str, datetime]:
        """Return when the last record of each chain was made; chains without any are left out."""
        with _there(), translated():
            rows = await self._pool.fetch(self._sql["heads"], None)
        return {row["chain"]: row["recorded_at"] for row in rows if row["recorded_at"]}

    @asynccontextmanager
    async def snapshot(
        self, chain: str | None = None
    ) -> AsyncIterator[tuple[Sequence[Head], AsyncIterator[Record]]]:
        """Give heads and records of all chains, or of one, as of one instant.

        Records come in the order of chains and numbers, a few at a time; recording goes on.
        """
        # What the caller does meanwhile may fail in its own ways: those are not the database's.
        held = AsyncExitStack()
        try:
            with _there(), translated():
                connection = await held.enter_async_context(self._pool.acquire())
                await held.enter_async_context(
                    connection.transaction(isolation="repeatable_read", readonly=True)
                )
                heads = [head_of(row) for row in await connection.fetch(self._sql["heads"], chain)]
            yield heads, self._walk(connection, chain)
        finally:
            with translated():
                await held.aclose()

    async def _walk(
        self, connection: asyncpg.Connection, chain: str | None
    ) -> AsyncIterator[Record]:
        with translated():
            async for row in connection.cursor(self._sql["walk"], chain, prefetch=_CHUNK):
                yield record_of(row)

    async def _found(
        self, statement: str, *arguments: object, personal: bool = False
    ) -> Sequence[Found]:
        with _there(), translated():
            async with self._pool.acquire() as connection:
                places = await connection.fetch(self._sql[statement], *arguments)
                rows = await connection.fetch(
                    self._sql["records"],
                    [place["chain"] for place in places],
                    [place["number"] for place in places],
                    personal,
                )
        return [
            Found(record_of(row), row["section"], row["disposition"], row["outcome"])
            for row in rows
        ]


@contextmanager
def _there() -> Iterator[None]:
    try:
        yield
    except asyncpg.UndefinedTableError as error:
        raise StartError(
            "the record has no tables in this database: has the audit service ever run on it?"
        ) from error


async def verify(archive: PostgresArchive, chain: str | None = None) -> Verification:
    """Walk all chains, or one, and say where they first fail.

    Raises:
        TransientError: `database_unreachable`.
    """
    walk = LogWalk()
    async with archive.snapshot(chain) as (heads, records):
        async for record in records:
            walk.step(record)
        return walk.verification(heads)


async def follow(
    archive: PostgresArchive, clock: Clock, *, chain: str | None, latest: int
) -> AsyncIterator[Sequence[Found]]:
    """Give the latest records, then what is added, oldest first, until the caller stops.

    A record is given once: chains have no gaps, so a number per chain says what was seen.

    Raises:
        TransientError: `database_unreachable`.
    """
    seen = {head.chain: head.number for head in await archive.heads(chain)}
    newest = await archive.search(Query(chain=chain, limit=latest))
    # What was added since the heads were read comes with the next look.
    yield [each for each in reversed(newest) if each.number <= seen.get(each.chain, 0)]
    while True:
        await clock.sleep(_LOOK_AGAIN_SECONDS)
        for head in await archive.heads(chain):
            seen.setdefault(head.chain, 0)
        added = await archive.after(seen, limit=_CHUNK)
        for each in added:
            seen[each.chain] = max(seen[each.chain], each.number)
        yield added
