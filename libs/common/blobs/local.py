"""`Blobs` in a local folder: one file per blob, durable before `put` returns."""

import asyncio
import errno
import os
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog

from libs.common.blobs.group_commit import (
    Disk,
    GroupCommit,
    SystemDisk,
    Write,
    remove_old,
    sync_folder,
)
from libs.common.blobs.keys import day_of, sha256_of
from libs.common.blobs.local_listing import day_folders, open_page_reader
from libs.common.blobs.port import StoredBlob
from libs.common.clock import Clock, SystemClock
from libs.common.errors import PermanentError, StartError, TransientError

_INCOMING = ".incoming"
_READERS = 8

#: Blobs that wait for the disk at once; beyond it `put` waits for its turn.
_MAX_WAITING = 256

#: No writer takes as long: what is older in the incoming folder belongs to a killed one.
_LEFTOVER_SECONDS = 3600.0

#: Less free than this and the store says it is not ready: the database may share the disk.
_MIN_FREE_BYTES = 64 * 1024 * 1024

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

T = TypeVar("T")

_log = structlog.get_logger()


@asynccontextmanager
async def open_local_blobs(
    folder: Path, *, disk: Disk | None = None, clock: Clock | None = None
) -> AsyncIterator["LocalBlobs"]:
    """Open the store in a folder, made with mode 0700 if it is not there.

    Raises:
        StartError: the folder cannot be made or written.
    """
    now = (clock or SystemClock()).now().timestamp()
    try:
        await asyncio.to_thread(_prepare, folder, now - _LEFTOVER_SECONDS)
    except OSError as error:
        raise StartError(
            f"cannot keep mail in {folder}: {error.strerror}; choose a folder that this user may "
            "write"
        ) from error
    blobs = LocalBlobs(folder, GroupCommit(folder / _INCOMING, disk or SystemDisk()))
    try:
        yield blobs
    finally:
        await asyncio.to_thread(blobs.close)


class LocalBlobs:
    """See `Blobs`. Safe for several processes on one folder."""

    def __init__(self, folder: Path, commits: GroupCommit) -> None:
        self._folder = folder
        self._commits = commits
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="blob-reader")
        self._turns = asyncio.BoundedSemaphore(_MAX_WAITING)

    async def put(self, key: str, content: bytes) -> None:
        """See `Blobs.put`. A cancelled `put` may still store.

        Raises:
            ValueError: not a key, or the content has not the key's hash.
        """
        sha256 = sha256_of(key)
        async with self._turns:
            with _translated():
                write = Write(self._folder / key, content, sha256)
                await asyncio.wrap_future(self._commits.submit(write))

    async def get(self, key: str, *, offset: int = 0, size_bytes: int | None = None) -> bytes:
        """See `Blobs.get`. Beyond the end there is nothing: shorter, or empty."""
        sha256_of(key)
        return await self._blocking(partial(self._read, self._folder / key, offset, size_bytes))

    async def delete(self, key: str) -> None:
        """See `Blobs.delete`."""
        sha256_of(key)
        await self._blocking(partial((self._folder / key).unlink, missing_ok=True))

    async def check(self) -> None:
        """See `Blobs.check`."""
        await self._blocking(self._probe)

    async def days(self) -> Sequence[str]:
        """See `BlobListing.days`."""
        return await self._blocking(self._days)

    async def stored(self, day: str) -> AsyncGenerator[Sequence[StoredBlob], None]:
        """See `BlobListing.stored`."""
        day_of(day)
        with open_page_reader(self._folder, day) as next_page:
            while page := await self._blocking(next_page):
                yield page

    def close(self) -> None:
        """Finish what was put, then end the threads. Blocks."""
        self._commits.close()
        self._readers.shutdown()

    async def _blocking(self, call: Callable[[], T]) -> T:
        with _translated():
            return await asyncio.get_running_loop().run_in_executor(self._readers, call)

    def _read(self, path: Path, offset: int, size_bytes: int | None) -> bytes:
        try:
            with path.open("rb") as file:
                file.seek(offset)
                return file.read() if size_bytes is None else file.read(size_bytes)
        except FileNotFoundError:
            (self._folder / _INCOMING).stat()  # gone as well: the volume is, not this blob
            raise PermanentError("blob_missing") from None

    def _days(self) -> Sequence[str]:
        (self._folder / _INCOMING).stat()  # gone: an outage, and no empty store
        return day_folders(self._folder)

    def _probe(self) -> None:
        incoming = self._folder / _INCOMING
        if not os.access(incoming, os.W_OK | os.X_OK):
            incoming.stat()
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        space = os.statvfs(incoming)
        if space.f_bavail * space.f_frsize < _MIN_FREE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _prepare(folder: Path, oldest: float) -> None:
    incoming = folder / _INCOMING
    if not incoming.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        incoming.mkdir(mode=0o700, exist_ok=True)
        for made_in in (folder, folder.parent):
            sync_folder(made_in, os.fsync)
    if not os.access(incoming, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    if stat.S_IMODE(folder.stat().st_mode) & 0o077:
        _log.warning("blob_folder_open_to_others", folder=folder, remedy="chmod 0700")
    if removed := remove_old(incoming.iterdir(), oldest):
        _log.warning("blob_leftovers_removed", files=removed)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = "blob_store_full" if error.errno in _FULL else "blob_store_unavailable"
        raise TransientError(reason, error.strerror or "") from error
