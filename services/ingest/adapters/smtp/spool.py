"""One message while it arrives: in memory at first, beyond a size in a file without a name."""

import asyncio
import errno
import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from libs.common.errors import TransientError

#: How many times its limit a message may be long before the connection ends.
_PATIENCE = 2
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class Spool:
    """Takes a message up to a limit; beyond it, or once the disk fails, it takes note and no more.

    The client has to send all of it before it hears so (RFC 5321 §4.2.5).
    """

    def __init__(self, folder: Path | None, *, memory_bytes: int, limit_bytes: int) -> None:
        self._folder = folder
        self._memory_bytes = memory_bytes
        self._limit_bytes = limit_bytes
        self._chunks: list[bytes] = []
        self._file: IO[bytes] | None = None
        self._is_over = False
        self._sha256 = hashlib.sha256()
        self.size_bytes = 0
        #: Why the message cannot be taken after all.
        self.failure: TransientError | None = None

    def __enter__(self) -> Self:
        """Begin; the end of the context frees everything."""
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Free memory and disk."""
        self._is_over = True
        self._free()

    @property
    def is_too_large(self) -> bool:
        """More came than one message may have."""
        return self.size_bytes > self._limit_bytes

    @property
    def is_on_disk(self) -> bool:
        """It is a large message."""
        return self._file is not None

    @property
    def sha256(self) -> str:
        """The hash of what came, lower-case hex."""
        return self._sha256.hexdigest()

    async def write(self, chunk: bytes) -> None:
        """See `Sink.write`.

        Raises:
            ConnectionResetError: a client that does not stop; it hears nothing more.
        """
        self.size_bytes += len(chunk)
        if self.size_bytes > _PATIENCE * self._limit_bytes:
            raise ConnectionResetError
        if self.is_too_large or self.failure is not None:
            self._free()
            return
        if self._file is None and self.size_bytes <= self._memory_bytes:
            self._sha256.update(chunk)
            self._chunks.append(chunk)
            return
        try:
            with _translated():
                await asyncio.to_thread(self._write_to_disk, chunk)
        except TransientError as error:
            self.failure = error

    async def content(self) -> bytes:
        """Return all of it.

        Raises:
            TransientError: `spool_full`, `spool_unavailable`.
        """
        if self.failure is not None:
            raise self.failure
        if self._file is None:
            return b"".join(self._chunks)
        with _translated():
            return await asyncio.to_thread(self._read_from_disk, self._file)

    def _write_to_disk(self, chunk: bytes) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - see __exit__
            for earlier in self._chunks:
                self._file.write(earlier)
            self._chunks.clear()
        self._sha256.update(chunk)
        self._file.write(chunk)
        if self._is_over:  # the client left while this thread made the file
            self._free()

    @staticmethod
    def _read_from_disk(file: IO[bytes]) -> bytes:
        file.flush()
        file.seek(0)
        return file.read()

    def _free(self) -> None:
        self._chunks.clear()
        if self._file is not None:
            with _ignored():
                self._file.close()
            self._file = None


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = "spool_full" if error.errno in _FULL else "spool_unavailable"
        raise TransientError(reason, error.strerror or "") from error


@contextmanager
def _ignored() -> Iterator[None]:
    """Closing flushes, which fails again on a full disk; the file has no name and goes anyway."""
    try:
        yield
    except OSError:
        return
