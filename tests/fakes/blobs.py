"""Blobs in memory. Twin of `libs.common.blobs.local.LocalBlobs`."""

from hashlib import sha256

from libs.common.blobs.keys import day_of, sha256_of
from libs.common.blobs.port import StoredBlob
from libs.common.clock import SystemClock
from libs.common.errors import PermanentError, UndeliverError


class FakeBlobs:
    """See `BlobStore`. `contents` is what is stored; `broken` is raised while it is set."""

    def __init__(self, clock=None) -> None:
        self._clock = clock or SystemClock()
        self.contents: dict[str, bytes] = {}
        self.modified_at = {}
        self.broken: UndeliverError | None = None

    async def put(self, key: str, content: bytes) -> None:
        """See `Blobs.put`."""
        promised = sha256_of(key)
        self._fail_if_broken()
        if sha256(content).hexdigest() != promised:
            raise ValueError("the content does not have the hash of its key")
        self.contents[key] = bytes(content)
        self.modified_at[key] = self._clock.now()

    async def get(self, key: str, *, offset: int = 0, size_bytes: int | None = None) -> bytes:
        """See `Blobs.get`."""
        sha256_of(key)
        self._fail_if_broken()
        if key not in self.contents:
            raise PermanentError("blob_missing")
        end = None if size_bytes is None else offset + size_bytes
        return self.contents[key][offset:end]

    async def delete(self, key: str) -> None:
        """See `Blobs.delete`."""
        sha256_of(key)
        self._fail_if_broken()
        self.contents.pop(key, None)

    async def check(self) -> None:
        """See `Blobs.check`."""
        self._fail_if_broken()

    async def days(self):
        """See `BlobListing.days`."""
        self._fail_if_broken()
        return sorted({key.rpartition("/")[0] for key in self.contents})

    async def stored(self, day):
        """See `BlobListing.stored`."""
        day_of(day)
        self._fail_if_broken()
        for key in list(self.contents):
            if key.startswith(f"{day}/"):
                yield [StoredBlob(key, self.modified_at[key])]

    def _fail_if_broken(self) -> None:
        if self.broken is not None:
            raise self.broken
