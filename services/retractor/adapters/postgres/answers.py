"""Inbox and outbox, and the counters of the guard. See `ports.ledger`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import asyncpg

from libs.common.broker.port import Message as Announcement
from libs.common.broker.publishing import Cause
from libs.common.contracts import CONTRACTS, Contract
from libs.common.database.errors import translated
from services.retractor.adapters.postgres import rows
from services.retractor.adapters.postgres.rows import SQL

_HOUR = timedelta(hours=1)


class PostgresAnswers:
    """See `Answers`."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def to(self, cause: Cause) -> Sequence[tuple[str, Contract]] | None:
        """See `Answers.to`."""
        found = await self._connection.fetch(SQL["answers_to"], cause.publisher, cause.message_id)
        if not found:
            return None
        return [
            (row["key"], CONTRACTS[row["type"]].model_validate_json(row["body"]))
            for row in found
            if row["type"] is not None
        ]

    async def remember(self, cause: Cause, answers: Sequence[tuple[str, Contract]]) -> None:
        """See `Answers.remember`."""
        values: list[tuple[object, ...]] = [
            (cause.publisher, cause.message_id, place, key, contract.type, contract.body().decode())
            for place, (key, contract) in enumerate(answers)
        ]
        if not values:
            values = [(cause.publisher, cause.message_id, 0, None, None, None)]
        await self._connection.executemany(SQL["remember_answer"], values)

    async def announce(self, announcements: Sequence[Announcement]) -> None:
        """See `Answers.announce`."""
        await self._connection.executemany(
            SQL["announce"],
            [
                (
                    one.message_id,
                    one.type,
                    one.tenant,
                    one.body.decode(),
                    one.correlation_id,
                    one.causation_id,
                    one.timestamp,
                    one.app_id,
                    one.traceparent,
                )
                for one in announcements
            ],
        )


class PostgresOutbox:
    """See `Outbox`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def batch(self, limit: int) -> AsyncIterator[Sequence[Announcement]]:
        """See `Outbox.batch`."""
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(SQL["announce_alone_limit"])
                is_alone = await connection.fetchval(SQL["announce_alone"])
                found = await connection.fetch(SQL["unannounced"], limit) if is_alone else []
                yield [rows.announcement(row) for row in found]
                await connection.execute(SQL["announced"], [row["message_id"] for row in found])

    async def forget(self, before: datetime) -> None:
        """See `Outbox.forget`. A little at a time, so that nobody waits for it."""
        with translated():
            for name in ("forget_announcements", "forget_answers", "forget_usage"):
                while await self._pool.execute(SQL[name], before) != "DELETE 0":
                    pass


class PostgresUsage:
    """See `Usage`."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def of_last_hour(self, tenant: str, now: datetime) -> int:
        """See `Usage.of_last_hour`."""
        await self._connection.execute(SQL["lock_usage"], tenant)
        return int(await self._connection.fetchval(SQL["usage_of_last_hour"], tenant, now - _HOUR))

    async def count(self, tenant: str, now: datetime, mailboxes: int) -> None:
        """See `Usage.count`."""
        await self._connection.execute(SQL["count_usage"], tenant, now, mailboxes)
