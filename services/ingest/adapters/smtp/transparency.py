"""The message between DATA and the lone dot, byte for byte (RFC 5321 §4.5.2).

Read in large chunks, because a line at a time costs ten times as much and limits its length: a line
ends with CRLF alone, so nothing that only looks like the end (`LF . LF`) is one.
"""

import asyncio
from typing import Protocol

_END = b".\r\n"
_CRLF = b"\r\n"


class Sink(Protocol):
    """Where a message goes as it arrives."""

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes."""


async def read_message(reader: asyncio.StreamReader, sink: Sink) -> None:
    """Read a message as far as its end, and hand it on with the transparency undone.

    What follows the end stays in the reader: a client may have sent its next commands already.
    Memory: a few times the reader's limit.
    """
    unstuffer = Unstuffer()
    before = _CRLF  # DATA's own line end: a lone dot may be the first line
    while True:
        try:
            chunk = await reader.readuntil(_END)
            is_candidate = True
        except asyncio.LimitOverrunError as error:
            chunk = await reader.readexactly(error.consumed)
            is_candidate = False
        last = (before + chunk[-5:])[-5:] if len(chunk) < 5 else chunk[-5:]
        if is_candidate and last[:-3] == _CRLF:
            await sink.write(unstuffer.feed(chunk[:-3]) + unstuffer.finish())
            return
        before = last[-2:]
        await sink.write(unstuffer.feed(chunk))


class Unstuffer:
    """Takes the dot away that a client put in front of each line that begins with one.

    A line end may be parted between two chunks, so a chunk's last CR or CRLF waits for the next.
    """

    def __init__(self) -> None:
        # The message begins at the beginning of a line, as if a line end stood in front of it.
        self._held = _CRLF
        self._drop_bytes = len(_CRLF)

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes; return what is settled."""
        stuffed = self._held + chunk
        held = 2 if stuffed.endswith(_CRLF) else int(stuffed.endswith(b"\r"))
        self._held = stuffed[len(stuffed) - held :]
        return self._dropped(stuffed.replace(b"\r\n.", _CRLF)[: -held or None])

    def finish(self) -> bytes:
        """Return what was waiting."""
        rest, self._held = self._held, b""
        return self._dropped(rest)

    def _dropped(self, octets: bytes) -> bytes:
        dropped = min(self._drop_bytes, len(octets))
        self._drop_bytes -= dropped
        return octets[dropped:]
