"""What recording needs from outside."""

from collections.abc import Sequence
from typing import Protocol

from services.audit.domain.chain import Recording
from services.audit.domain.record import Entry


class AuditLog(Protocol):
    """The append-only log: one chain per known tenant, one for what belongs to none."""

    async def record(self, entries: Sequence[Entry]) -> Sequence[Recording]:
        """Append what is new, all or nothing, and return what became of each, in their order.

        Idempotent by (publisher, message_id) and body. Durable when it returns. Numbers within a
        chain have no gaps, whoever else records at the same time.

        Raises:
            TransientError: `database_unreachable`, `database_conflict`; record the same again.
            PoisonError: `record_refused`: one of the entries cannot be stored.
        """
