"""What a book in memory says about blobs. Twin of `PostgresBlobBook`."""

from libs.common.errors import UndeliverError
from services.ingest.domain.sweeping import BookState


class FakeBlobBook:
    """See `BlobBook`. Reads a `FakeKeptMail` and its keys; `broken` is raised while it is set."""

    def __init__(self, report_keys, kept, clock) -> None:
        self._report_keys = report_keys
        self._kept = kept
        self._clock = clock
        self.swept: set[str] = set()
        self.broken: UndeliverError | None = None

    async def state(self):
        """See `BlobBook.state`."""
        self._fail_if_broken()
        return BookState(self._clock.now(), not self._report_keys.entries)

    async def unswept(self, days):
        """See `BlobBook.unswept`."""
        self._fail_if_broken()
        return [day for day in days if day not in self.swept]

    async def unknown(self, store_keys):
        """See `BlobBook.unknown`."""
        self._fail_if_broken()
        known = {
            entry.reception.store_key
            for key, entry in self._report_keys.entries.items()
            if key not in self._kept.deleted
        }
        return [key for key in store_keys if key not in known]

    async def mark_swept(self, days):
        """See `BlobBook.mark_swept`."""
        self._fail_if_broken()
        self.swept.update(days)

    def _fail_if_broken(self) -> None:
        if self.broken is not None:
            raise self.broken
