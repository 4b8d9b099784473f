"""The message between DATA and the lone dot, byte for byte (RFC 5321 §4.5.2).

Read in large chunks, because a line at a time costs ten times as much and limits its length: a line
ends with CRLF alone, so nothing that only looks like the end (`LF . LF`) is one.
"""

import asyncio
from typing import Any, Protocol

_CRLF = b"\r\n"
_LAST_LINE = b".\r\n"
_END = _CRLF + _LAST_LINE


class Sink(Protocol):
    """Where a message goes as it arrives."""

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes."""


async def read_message(reader: asyncio.StreamReader, sink: Sink) -> None:
    """Read a message as far as its end, and hand it on with the transparency undone.

    What follows the end stays in the reader: a client may have sent its next commands already.
    Memory: a few times the reader's limit. Of what only begins like the end, however much there is,
    nothing is read by itself.
    """
    unstuffer = Unstuffer()
    # DATA's own line end: a lone dot may be the first line. The unstuffer drops it again.
    buffered: Any = reader
    buffered._buffer[:0] = _CRLF  # noqa: SLF001 - nothing can be put back into a reader otherwise
    while True:
        try:
            chunk = await reader.readuntil(_END)
        except asyncio.LimitOverrunError as error:
            await sink.write(unstuffer.feed(await reader.readexactly(error.consumed)))
        else:
            rest = unstuffer.feed(chunk[: -len(_LAST_LINE)])
            await sink.write(rest + unstuffer.finish())
            return


class Unstuffer:
    """Takes the dot away that a client put in front of each line that begins with one.

    It begins with the line end in front of the message. A line end may be parted between two
    chunks, so a chunk's last CR or CRLF waits for the next.
    """

    def __init__(self) -> None:
        # In front of the message stands a line end, which is no part of it.
        self._held = b""
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
