"""A log in memory. Twin of `PostgresAuditLog`."""

from collections import defaultdict
from collections.abc import Sequence

from libs.common.errors import PoisonError, TransientError
from services.audit.domain.chain import Recording, append
from services.audit.domain.record import Entry, Head, Link, genesis


class MemoryAuditLog:
    """See `AuditLog`. `failures` are raised first; `poison` holds ids that it cannot store."""

    def __init__(self) -> None:
        self.links: list[tuple[Entry, Link]] = []
        self.batches: list[int] = []
        self.failures: list[Exception] = []
        self.poison: set[str] = set()
        self._heads: dict[str, Head] = {}
        self._known: dict[tuple[str, str], list[bytes | None]] = defaultdict(list)

    async def record(self, entries: Sequence[Entry]) -> Sequence[Recording]:
        """See `AuditLog.record`."""
        if self.failures:
            raise self.failures.pop(0)
        if any(entry.properties.message_id in self.poison for entry in entries):
            raise PoisonError("record_refused")
        heads = {e.chain: self._heads.get(e.chain, genesis(e.chain)) for e in entries}
        batch = append(entries, heads, self._known)
        self._heads.update({head.chain: head for head in batch.heads})
        for entry, link in batch.links:
            self._known[entry.key].append(entry.body_sha256)
            self.links.append((entry, link))
        self.batches.append(len(batch.links))
        return batch.recordings


def unreachable() -> TransientError:
    """Return what an unreachable database raises."""
    return TransientError("database_unreachable")
