"""The commands. See `ports.ledger.Retractions`."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from libs.common.errors import PermanentError
from services.retractor.adapters.postgres import rows
from services.retractor.adapters.postgres.rows import SQL, hashed
from services.retractor.domain.mail import Message
from services.retractor.domain.retraction import Retraction


class PostgresRetractions:
    """See `Retractions`."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def get(
        self, tenant: str, retraction_id: UUID, *, locked: bool = False
    ) -> Retraction | None:
        """See `Retractions.get`."""
        sql = SQL["get_retraction_locked" if locked else "get_retraction"]
        row = await self._connection.fetchrow(sql, tenant, retraction_id)
        return None if row is None else rows.retraction(row)

    async def enter(self, retraction: Retraction) -> None:
        """See `Retractions.enter`."""
        values = rows.retraction_values(retraction)
        if not await self._connection.fetchval(SQL["enter_retraction"], *values):
            raise PermanentError("conflicting_retraction_id")

    async def put(self, retraction: Retraction) -> None:
        """See `Retractions.put`."""
        await self._connection.execute(SQL["put_retraction"], *rows.retraction_changes(retraction))

    async def next_sequence(self) -> int:
        """See `Retractions.next_sequence`."""
        return int(await self._connection.fetchval(SQL["next_sequence"]))

    async def waiting_or_standing(self, message: Message, now: datetime) -> Sequence[Retraction]:
        """See `Retractions.waiting_or_standing`."""
        found = await self._connection.fetch(
            SQL["waiting_or_standing"],
            message.tenant,
            message.message_key,
            hashed(message.internet_message_id),
            now,
        )
        return [rows.retraction(row) for row in found]

    async def overdue(self, now: datetime, limit: int) -> Sequence[Retraction]:
        """See `Retractions.overdue`."""
        found = await self._connection.fetch(SQL["overdue"], now, limit)
        return [rows.retraction(row) for row in found]
