"""Which mailbox is due, and what is known of it. See `ports.ledger`."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import asyncpg

from libs.common.database.errors import translated
from services.retractor.adapters.postgres import rows
from services.retractor.adapters.postgres.rows import SQL
from services.retractor.domain.retraction import Copy, Search
from services.retractor.ports.ledger import Visit


class PostgresSchedule:
    """See `Schedule`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def claim(self, limit: int, now: datetime, lease_seconds: float) -> Sequence[Visit]:
        """See `Schedule.claim`."""
        until = now + timedelta(seconds=lease_seconds)
        with translated():
            found = await self._pool.fetch(SQL["claim_mailboxes"], now, until, limit)
        return [Visit(row["tenant"], row["mailbox"], row["lease_owner"]) for row in found]

    async def recover(self, now: datetime) -> None:
        """Free all mailboxes, and make due what was put off after failures.

        Only where nobody else can be at work on one.
        """
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(SQL["recover_leases"])
                await connection.execute(SQL["hasten_put_off"], now)

    async def due(
        self, visit: Visit, now: datetime, lease_seconds: float, limit: int
    ) -> tuple[Sequence[Search], Sequence[Copy]] | None:
        """See `Schedule.due`."""
        place = (visit.tenant, visit.mailbox)
        until = now + timedelta(seconds=lease_seconds)
        with translated():
            async with self._pool.acquire() as connection:
                ours = await connection.fetchval(SQL["prolong_lease"], *place, visit.owner, until)
                if not ours:
                    return None
                searches = await connection.fetch(SQL["due_searches"], *place, now, limit)
                copies = await connection.fetch(SQL["due_copies"], *place, now, limit)
        return [rows.search(row) for row in searches], [rows.copy(row) for row in copies]

    async def prolong(self, visits: Sequence[Visit], now: datetime, lease_seconds: float) -> None:
        """See `Schedule.prolong`."""
        until = now + timedelta(seconds=lease_seconds)
        with translated():
            await self._pool.execute(
                SQL["prolong_leases"], [visit.owner for visit in visits], until
            )

    async def release(self, visit: Visit, paused_until: datetime | None = None) -> None:
        """See `Schedule.release`.

        The row is locked first: work that is being entered meanwhile is then either seen by the
        second statement, or makes the mailbox due after it.
        """
        place = (visit.tenant, visit.mailbox, visit.owner)
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(SQL["lock_mailbox"], *place)
                await connection.execute(SQL["release_mailbox"], *place, paused_until)


class PostgresDirectoryCache:
    """See `DirectoryCache`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def user_id(self, tenant: str, mailbox: str, not_before: datetime) -> str | None:
        """See `DirectoryCache.user_id`."""
        with translated():
            found = await self._pool.fetchval(SQL["known_user"], tenant, mailbox, not_before)
        return None if found is None else str(found)

    async def folders(self, tenant: str, mailbox: str) -> Mapping[str, str]:
        """See `DirectoryCache.folders`."""
        with translated():
            found = await self._pool.fetchval(SQL["known_folders"], tenant, mailbox)
        return {} if found is None else json.loads(found)

    async def remember(
        self, tenant: str, mailbox: str, user_id: str, folders: Mapping[str, str], now: datetime
    ) -> None:
        """See `DirectoryCache.remember`."""
        with translated():
            await self._pool.execute(
                SQL["learn_mailbox"], tenant, mailbox, user_id, now, json.dumps(dict(folders))
            )
