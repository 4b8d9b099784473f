"""What services need of a store for raw mail."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
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
            PermanentError: `blob_missing`; the store itself said so, and it is all there.
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


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """One blob as the store lists it."""

    key: str
    #: By the store's own clock.
    modified_at: datetime


class BlobListing(Protocol):
    """What lies in a store, whoever put it there. What is no blob of ours is left out."""

    async def days(self) -> Sequence[str]:
        """Return each `<tenant or ->/<yyyy>/<mm>/<dd>` under which blobs may lie, sorted.

        Raises:
            TransientError: `blob_store_unavailable`.
        """

    def stored(self, day: str) -> AsyncGenerator[Sequence[StoredBlob], None]:
        """Give what lies under one of these, some at a time, in no order. Close it (`aclosing`).

        Raises:
            TransientError: `blob_store_unavailable`.
        """


class BlobStore(Blobs, BlobListing, Protocol):
    """What `open_blobs` gives."""
