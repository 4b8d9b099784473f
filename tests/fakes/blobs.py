"""Blobs in memory. Twin of `libs.common.blobs.local.LocalBlobs`."""

from hashlib import sha256

from libs.common.blobs.keys import sha256_of
from libs.common.errors import PermanentError, UndeliverError


class FakeBlobs:
    """See `Blobs`. `contents` is what is stored; `broken` is raised while it is set."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.broken: UndeliverError | None = None

    async def put(self, key: str, content: bytes) -> None:
        """See `Blobs.put`."""
        promised = sha256_of(key)
        self._fail_if_broken()
        if sha256(content).hexdigest() != promised:
            raise ValueError("the content does not have the hash of its key")
        self.contents[key] = bytes(content)

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

    def _fail_if_broken(self) -> None:
        if self.broken is not None:
            raise self.broken
