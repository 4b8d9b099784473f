"""Work in mailboxes, and how far it has come. See `ports.ledger`."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from services.retractor.adapters.postgres import rows
from services.retractor.adapters.postgres.rows import SQL, hashed, storable
from services.retractor.domain.desired import CopyState
from services.retractor.domain.retraction import Copy, Search, Trials


class PostgresWork:
    """See `Work`."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def add_searches(self, searches: Sequence[Search], due_at: datetime) -> None:
        """See `Work.add_searches`. One statement for all mailboxes of one message."""
        alike: dict[Search, list[Search]] = defaultdict(list)
        for search in searches:
            alike[_without_mailbox(search)].append(search)
        for common, group in alike.items():
            await self._connection.execute(
                SQL["add_searches"],
                common.tenant,
                common.retraction_id,
                hashed(common.internet_message_id),
                storable(common.internet_message_id),
                storable(common.expected.from_address),
                common.expected.sent_at,
                storable(common.expected.subject),
                common.depth,
                common.matched_by,
                [storable(search.mailbox) for search in group],
                [search.role for search in group],
                due_at,
            )
            await self._make_due(common.tenant, (search.mailbox for search in group), due_at)

    async def put_search(self, search: Search, due_at: datetime | None) -> None:
        """See `Work.put_search`."""
        await self._connection.execute(
            SQL["put_search"],
            search.tenant,
            search.retraction_id,
            search.mailbox,
            hashed(search.internet_message_id),
            search.looks,
            *_values(search.trials),
            due_at,
        )

    async def enter_copies(self, copies: Sequence[Copy], due_at: datetime) -> None:
        """See `Work.enter_copies`."""
        values = [(*rows.copy_values(copy), due_at) for copy in copies]
        await self._connection.executemany(SQL["enter_copy"], values)
        for tenant in {copy.tenant for copy in copies}:
            theirs = (copy.mailbox for copy in copies if copy.tenant == tenant)
            await self._make_due(tenant, theirs, due_at)

    async def put_copy(self, copy: Copy, due_at: datetime | None) -> None:
        """See `Work.put_copy`."""
        await self._connection.execute(
            SQL["put_copy"],
            copy.tenant,
            copy.retraction_id,
            copy.copy_id,
            copy.folder_before,
            copy.was_read,
            copy.progress.value,
            copy.folder_after,
            copy.outcome.value if copy.outcome else None,
            copy.reason,
            due_at,
        )

    async def put_off(self, copy: Copy, trials: Trials, due_at: datetime) -> None:
        """See `Work.put_off`."""
        place = (copy.tenant, copy.retraction_id, copy.copy_id)
        await self._connection.execute(SQL["put_off"], *place, *_values(trials), due_at)

    async def hasten(self, tenant: str, retraction_id: UUID, now: datetime) -> None:
        """See `Work.hasten`."""
        mailboxes: set[str] = set()
        for name in ("hasten_searches", "hasten_copies"):
            found = await self._connection.fetch(SQL[name], tenant, retraction_id, now)
            mailboxes |= {row["mailbox"] for row in found}
        await self._make_due(tenant, mailboxes, now)

    async def _make_due(self, tenant: str, mailboxes: Iterable[str], due_at: datetime) -> None:
        wanted = sorted({str(storable(mailbox)) for mailbox in mailboxes})
        if wanted:
            await self._connection.execute(SQL["make_due"], tenant, wanted, due_at)


class PostgresProgress:
    """See `Progress`."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def copies(self, tenant: str, retraction_id: UUID) -> Sequence[Copy]:
        """See `Progress.copies`."""
        found = await self._connection.fetch(SQL["copies"], tenant, retraction_id)
        return [rows.copy(row) for row in found]

    async def copy(self, copy: Copy) -> Copy | None:
        """See `Progress.copy`."""
        row = await self._connection.fetchrow(
            SQL["copy"], copy.tenant, copy.retraction_id, copy.copy_id
        )
        return None if row is None else rows.copy(row)

    async def mailboxes(self, tenant: str, retraction_id: UUID) -> frozenset[str]:
        """See `Progress.mailboxes`."""
        found = await self._connection.fetch(SQL["mailboxes_of"], tenant, retraction_id)
        return frozenset(row["mailbox"] for row in found)

    async def is_open(self, tenant: str, retraction_id: UUID) -> bool:
        """See `Progress.is_open`."""
        return bool(await self._connection.fetchval(SQL["is_open"], tenant, retraction_id))

    async def counts(self, tenant: str, retraction_id: UUID) -> Mapping[str, int]:
        """See `Progress.counts`."""
        found = await self._connection.fetch(SQL["counts"], tenant, retraction_id)
        return {row["outcome"]: row["number"] for row in found}


class PostgresCopyStates:
    """See `CopyStates`."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def get(self, tenant: str, user_id: str, graph_message_id: str) -> CopyState | None:
        """See `CopyStates.get`."""
        row = await self._connection.fetchrow(
            SQL["get_copy_state"], tenant, user_id, graph_message_id
        )
        return None if row is None else rows.copy_state(row)

    async def put(self, tenant: str, user_id: str, graph_message_id: str, state: CopyState) -> None:
        """See `CopyStates.put`."""
        await self._connection.execute(
            SQL["put_copy_state"],
            tenant,
            user_id,
            graph_message_id,
            state.wish.destination.value,
            state.wish.sequence,
            state.wish.automatic,
            state.exempt,
            state.origin_folder,
            state.origin_was_read,
            state.put_into,
        )


def _values(trials: Trials) -> tuple[object, ...]:
    return trials.failures, trials.throttles, trials.failing_since


def _without_mailbox(search: Search) -> Search:
    return Search(
        search.tenant,
        search.retraction_id,
        "",
        search.internet_message_id,
        search.expected,
        search.depth,
        search.matched_by,
        "",
    )
