"""`Blobs` on S3-compatible stores and Azure Blob Storage: docs/adr/0008-object-store.md."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

from obstore.exceptions import BaseError
from obstore.store import AzureStore, S3Store

from libs.common.blobs.keys import day_of, is_day, is_key, leads_to_day, sha256_of, verify_hash
from libs.common.blobs.object_errors import translated
from libs.common.blobs.port import StoredBlob
from libs.common.errors import PermanentError, TransientError

#: Requests under way at once, each kind for itself; beyond it one waits for its turn.
_WRITERS = 64
_READERS = 64

#: Of a put: this, and a second for so many bytes. 200 MB have less than four minutes; an SMTP
#: client waits ten (RFC 5321 §4.5.3.2.6).
_PUT_SECONDS = 30.0
_PUT_BYTES_PER_SECOND = 1024 * 1024
_GET_SECONDS = 120.0
_DELETE_SECONDS = 30.0
_PAGE_SECONDS = 60.0
#: A readiness check has two seconds in all.
_CHECK_SECONDS = 1.5

#: What is larger goes up in parts, each tried again for itself; so much is in memory twice.
_PART_BYTES = 8 * 1024 * 1024
_PARTS_AT_ONCE = 4
#: Hashing more than this would hold up the event loop.
_HASHED_AT_ONCE_BYTES = 64 * 1024
#: What stores give at once.
_PAGE = 1000

#: No keys of ours: what checks look for, and what they write after a put has failed.
NOTHING = ".undeliver/nothing"
_PROBE = ".undeliver/probe"


class ObjectBlobs:
    """See `BlobStore`. A put is there whole for all readers, or not at all, whatever ends it."""

    def __init__(self, store: S3Store | AzureStore) -> None:
        self._store = store
        self._writers = asyncio.BoundedSemaphore(_WRITERS)
        self._readers = asyncio.BoundedSemaphore(_READERS)
        self._is_writing_in_doubt = False

    async def put(self, key: str, content: bytes) -> None:
        """See `Blobs.put`. A cancelled `put` may still store.

        Raises:
            ValueError: not a key, or the content has not the key's hash.
        """
        sha256 = sha256_of(key)
        if len(content) <= _HASHED_AT_ONCE_BYTES:
            verify_hash(content, sha256)
        else:
            await asyncio.to_thread(verify_hash, content, sha256)
        seconds = _PUT_SECONDS + len(content) / _PUT_BYTES_PER_SECOND
        try:
            async with _bounded(seconds, self._writers):
                await self._store.put_async(
                    key, content, chunk_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE
                )
        except TransientError:
            self._is_writing_in_doubt = True
            raise
        self._is_writing_in_doubt = False

    async def get(self, key: str, *, offset: int = 0, size_bytes: int | None = None) -> bytes:
        """See `Blobs.get`. Beyond the end there is nothing: shorter, or empty."""
        sha256_of(key)
        async with _bounded(_GET_SECONDS, self._readers):
            try:
                if offset == 0 and size_bytes is None:
                    return bytes(await (await self._store.get_async(key)).bytes_async())
                return await self._slice(key, offset, size_bytes)
            except FileNotFoundError:
                # A container that is gone answers the same: then it is an outage.
                await self._answers()
                raise PermanentError("blob_missing") from None

    async def delete(self, key: str) -> None:
        """See `Blobs.delete`."""
        sha256_of(key)
        async with _bounded(_DELETE_SECONDS, self._writers):
            try:
                await self._store.delete_async(key)
            except FileNotFoundError:
                await self._answers()

    async def check(self) -> None:
        """See `Blobs.check`.

        Asks whether the container is there and lets us in. A put that failed leaves a doubt, which
        only one that succeeds takes away: then the check writes as well.
        """
        async with _bounded(_CHECK_SECONDS):
            await self._answers()
            if self._is_writing_in_doubt:
                await self._store.put_async(_PROBE, b"")
        self._is_writing_in_doubt = False

    async def days(self) -> Sequence[str]:
        """See `BlobListing.days`."""
        folders: list[str | None] = [None]
        for _ in range(4):  # tenants, years, months, days
            below = [each for folder in folders for each in await self._folders(folder)]
            folders = [folder for folder in below if leads_to_day(folder)]
        return sorted(folder for folder in folders if folder is not None and is_day(folder))

    async def stored(self, day: str) -> AsyncGenerator[Sequence[StoredBlob], None]:
        """See `BlobListing.stored`."""
        day_of(day)
        pages = self._store.list(day, chunk_size=_PAGE)
        while True:
            async with _bounded(_PAGE_SECONDS, self._readers):
                page = await anext(pages, None)
            if page is None:
                return
            yield [
                StoredBlob(each["path"], each["last_modified"])
                for each in page
                if is_key(each["path"])
            ]

    async def _slice(self, key: str, offset: int, size_bytes: int | None) -> bytes:
        if size_bytes == 0:
            await self._store.head_async(key)
            return b""
        try:
            found = await self._store.get_async(
                key,
                options={
                    "range": {"offset": offset}
                    if size_bytes is None
                    else (offset, offset + size_bytes)
                },
            )
            return bytes(await found.bytes_async())
        except BaseError:
            # Stores refuse a range that begins behind the end, each in its own words.
            if offset < (await self._store.head_async(key))["size"]:
                raise
            return b""

    async def _folders(self, folder: str | None) -> Sequence[str]:
        async with _bounded(_PAGE_SECONDS, self._readers):
            return (await self._store.list_with_delimiter_async(folder))["common_prefixes"]

    async def _answers(self) -> None:
        """Return if the container is there and lets us in."""
        await self._store.list_with_delimiter_async(NOTHING)


@asynccontextmanager
async def _bounded(
    seconds: float, turns: asyncio.BoundedSemaphore | None = None
) -> AsyncIterator[None]:
    """Take a turn and end in time, waiting for the turn included, or raise our own errors."""
    with translated():
        async with asyncio.timeout(seconds):
            if turns is None:
                yield
            else:
                async with turns:
                    yield
