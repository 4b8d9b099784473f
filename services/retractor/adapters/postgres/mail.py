"""Who received what. See `ports.ledger.KnownMail`."""

from collections.abc import Sequence

import asyncpg

from services.retractor.adapters.postgres import rows
from services.retractor.adapters.postgres.rows import SQL, hashed, storable
from services.retractor.domain.mail import Message, Receipt
from services.retractor.ports.ledger import MAX_MESSAGES


class PostgresKnownMail:
    """See `KnownMail`."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def record(self, message: Message, receipts: Sequence[Receipt], report_key: str) -> None:
        """See `KnownMail.record`."""
        known = message.fingerprint
        await self._connection.execute(
            SQL["record_message"],
            message.tenant,
            message.message_key,
            storable(message.internet_message_id),
            hashed(message.internet_message_id),
            storable(known.from_address),
            known.sent_at,
            storable(known.subject),
            message.conversation_index,
        )
        await self._connection.execute(
            SQL["record_receipts"],
            message.tenant,
            message.message_key,
            [storable(receipt.mailbox) for receipt in receipts],
            [receipt.role for receipt in receipts],
            report_key,
        )

    async def messages(
        self, tenant: str, *, internet_message_id: str | None, message_key: str | None
    ) -> Sequence[Message]:
        """See `KnownMail.messages`."""
        if message_key is not None:
            found = await self._connection.fetch(SQL["messages_with_key"], tenant, message_key)
        else:
            found = await self._connection.fetch(
                SQL["messages_with_id"], tenant, hashed(internet_message_id), MAX_MESSAGES
            )
        return [rows.message(row) for row in found]

    async def messages_received_by(
        self, tenant: str, internet_message_id: str, mailboxes: Sequence[str]
    ) -> Sequence[Message]:
        """See `KnownMail.messages_received_by`."""
        found = await self._connection.fetch(
            SQL["messages_received_by"],
            tenant,
            hashed(internet_message_id),
            [storable(mailbox) for mailbox in mailboxes],
            MAX_MESSAGES,
        )
        return [rows.message(row) for row in found]

    async def receipts(self, tenant: str, message_keys: Sequence[str]) -> Sequence[Receipt]:
        """See `KnownMail.receipts`."""
        found = await self._connection.fetch(SQL["receipts"], tenant, list(message_keys))
        return [Receipt(row["message_key"], row["mailbox"], row["role"]) for row in found]
