"""Raw mail by age, of a book in memory. Twin of `PostgresKeptMail`."""

from libs.common.errors import UndeliverError
from services.ingest.domain.retention import KeptRaw


class FakeKeptMail:
    """See `KeptMail`. Reads a `FakeReportKeys`; `broken` is raised while it is set."""

    def __init__(self, report_keys) -> None:
        self._report_keys = report_keys
        self.deleted: dict[str, object] = {}
        self.broken: UndeliverError | None = None

    async def tenants(self):
        """See `KeptMail.tenants`."""
        self._fail_if_broken()
        return sorted({entry.tenant for entry in self._kept() if entry.tenant is not None})

    async def received_before(self, tenant, before, limit, after=None):
        """See `KeptMail.received_before`."""
        self._fail_if_broken()
        found = sorted(
            (entry.reception.received_at, entry.report_key, entry.reception.store_key)
            for entry in self._kept()
            if entry.tenant == tenant and entry.reception.received_at < before
        )
        if after is not None:
            found = [each for each in found if each[:2] > (after.received_at, after.report_key)]
        return [KeptRaw(key, store_key, at) for at, key, store_key in found[:limit]]

    async def mark_deleted(self, report_keys, at):
        """See `KeptMail.mark_deleted`."""
        self._fail_if_broken()
        for key in report_keys:
            if self._report_keys.entries[key].published_at is None:
                del self._report_keys.entries[key]
            else:
                self.deleted.setdefault(key, at)

    def _kept(self):
        entries = self._report_keys.entries.values()
        return [entry for entry in entries if entry.report_key not in self.deleted]

    def _fail_if_broken(self) -> None:
        if self.broken is not None:
            raise self.broken
