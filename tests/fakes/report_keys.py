"""The book of report keys in memory. Twin of `services.ingest.adapters.postgres`."""

from dataclasses import replace

from libs.common.errors import UndeliverError


class FakeReportKeys:
    """See `ReportKeys`. `entries` is the book; `broken` is raised while it is set."""

    def __init__(self) -> None:
        self.entries = {}
        self.broken: UndeliverError | None = None

    async def find(self, report_key):
        """See `ReportKeys.find`."""
        self._fail_if_broken()
        return self.entries.get(report_key)

    async def enter(self, entry):
        """See `ReportKeys.enter`."""
        self._fail_if_broken()
        return self.entries.setdefault(entry.report_key, entry)

    async def mark_published(self, report_key, at):
        """See `ReportKeys.mark_published`."""
        self._fail_if_broken()
        entry = self.entries.get(report_key)
        if entry is not None and entry.published_at is None:
            self.entries[report_key] = replace(entry, published_at=at)

    def _fail_if_broken(self) -> None:
        if self.broken is not None:
            raise self.broken
