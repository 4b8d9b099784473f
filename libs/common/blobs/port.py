"""What services need of a store for raw mail."""

from typing import Protocol


class Blobs(Protocol):
    """Immutable byte strings under keys `<tenant or ->/<yyyy>/<mm>/<dd>/<sha256>`."""

    async def put(self, key: str, content: bytes) -> None:
        """Store; returns when it is durable. The same key again, with the same bytes, is no change.

        Raises:
            TransientError: `blob_store_unavailable`, `blob_store_full`.
        """

    async def get(self, key: str, *, offset: int = 0, size_bytes: int | None = None) -> bytes:
        """Return the bytes, or a slice of them.

        Raises:
            PermanentError: `blob_missing`.
            TransientError: `blob_store_unavailable`.
        """

    async def delete(self, key: str) -> None:
        """Remove; a key that is not there is no error.

        Raises:
            TransientError: `blob_store_unavailable`.
        """

    async def check(self) -> None:
        """Return if mail can be stored: a readiness check.

        Raises:
            TransientError: `blob_store_unavailable`, `blob_store_full`.
        """
