"""One connection through a network that can be hurt."""

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto

_CHUNK_BYTES = 64 * 1024
#: What is on its way at most; beyond it the sender has to wait, as on a real line.
_CHUNKS_ON_THE_WAY = 64
#: A limited line carries its bytes in so many pieces a second.
_PIECES_PER_SECOND = 20
_CLOSE_SECONDS = 1.0
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # struct linger, socket(7)

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
#: What is on its way, and when it is due: bytes, none for a close, or None for a reset.
Line = asyncio.Queue[tuple[float, bytes | None]]


class Direction(Enum):
    """Which way bytes go."""

    TO_SERVER = auto()
    TO_CLIENT = auto()


@dataclass
class Weather:
    """What all connections of a network suffer at present."""

    latency_seconds: float = 0.0
    bytes_per_second: float | None = None
    swallowed: frozenset[Direction] = frozenset()
    drop_after: tuple[Direction, int] | None = None


class Link:
    """A client's connection and the one to the server that answers it."""

    def __init__(
        self, weather: Weather, client: socket.socket, server: str | tuple[str, int]
    ) -> None:
        self.is_over = asyncio.Event()
        #: Bytes vanished: what follows them would make no sense.
        self.has_lost = False
        #: Whatever is sent vanishes, though new connections are well.
        self.is_forgotten = False
        self._weather = weather
        self._client = client
        self._server = server
        self._streams: list[Stream] = []
        self._carried = dict.fromkeys(Direction, 0)

    def begin(self, tasks: asyncio.TaskGroup, ended: Callable[["Link"], None]) -> None:
        """Carry bytes both ways until both sides have closed, one is reset, or `end`."""

        def over(_: object) -> None:
            self._client.close()  # also where it ended before it began
            ended(self)
            self.is_over.set()

        self._work = tasks.create_task(self._live())
        self._work.add_done_callback(over)

    def end(self, *, abruptly: bool) -> None:
        """Close both connections, or reset them."""
        self._hang_up(abruptly=abruptly)
        self._work.cancel()

    def count_anew(self) -> None:
        """Forget how much was carried."""
        self._carried = dict.fromkeys(Direction, 0)

    async def _live(self) -> None:
        with suppress(asyncio.CancelledError):  # by `end` alone
            try:
                await self._carry()
            except* OSError:
                self._hang_up(abruptly=True)
        self._hang_up(abruptly=False)
        for _, writer in self._streams:
            await _closed(writer)

    async def _carry(self) -> None:
        requests, to_client = await asyncio.open_connection(sock=self._client)
        self._streams.append((requests, to_client))
        answers, to_server = await _connect(self._server)
        self._streams.append((answers, to_server))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._way(requests, to_server, Direction.TO_SERVER))
            group.create_task(self._way(answers, to_client, Direction.TO_CLIENT))

    async def _way(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: Direction
    ) -> None:
        line: Line = asyncio.Queue(_CHUNKS_ON_THE_WAY)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take(reader, line))
            group.create_task(self._deliver(line, writer, direction))

    async def _take(self, reader: asyncio.StreamReader, line: Line) -> None:
        now = asyncio.get_running_loop().time
        chunk: bytes | None = b"-"
        while chunk:
            try:
                chunk = await reader.read(_CHUNK_BYTES)
            except OSError:
                chunk = None
            await line.put((now() + self._weather.latency_seconds, chunk))

    async def _deliver(
        self, line: Line, writer: asyncio.StreamWriter, direction: Direction
    ) -> None:
        now = asyncio.get_running_loop().time
        while True:
            due, chunk = await line.get()
            await asyncio.sleep(max(0.0, due - now()))
            if self.is_forgotten or direction in self._weather.swallowed:
                self.has_lost = True  # the news of a close or reset vanishes, too
                continue
            if chunk is None:
                raise ConnectionResetError
            if not chunk:
                writer.write_eof()
                return
            await self._send(chunk, writer, direction)

    async def _send(self, chunk: bytes, writer: asyncio.StreamWriter, direction: Direction) -> None:
        while chunk:
            piece = chunk[: self._room(direction)]
            if self._weather.bytes_per_second is not None:
                await asyncio.sleep(len(piece) / self._weather.bytes_per_second)
            writer.write(piece)
            await writer.drain()
            self._carried[direction] += len(piece)
            if self._left(direction) == 0:
                raise ConnectionResetError
            chunk = chunk[len(piece) :]

    def _room(self, direction: Direction) -> int:
        """Return how much may be sent in one piece."""
        speed = self._weather.bytes_per_second
        piece = _CHUNK_BYTES if speed is None else max(1, int(speed / _PIECES_PER_SECOND))
        left = self._left(direction)
        return piece if left is None else min(piece, left)

    def _left(self, direction: Direction) -> int | None:
        """Return how much may be carried before the connection is reset; None without end."""
        limit = self._weather.drop_after
        if limit is None or limit[0] is not direction:
            return None
        return max(0, limit[1] - self._carried[direction])

    def _hang_up(self, *, abruptly: bool) -> None:
        for _, writer in self._streams:
            if abruptly:
                connection = writer.get_extra_info("socket")
                with suppress(OSError):
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                writer.transport.abort()
            else:
                writer.close()


async def _connect(server: str | tuple[str, int]) -> Stream:
    if isinstance(server, str):
        return await asyncio.open_unix_connection(server)
    return await asyncio.open_connection(*server)


async def _closed(writer: asyncio.StreamWriter) -> None:
    """Wait until a connection is closed; whoever does not take what is left is reset."""
    with suppress(OSError):
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await writer.wait_closed()
        except TimeoutError:
            writer.transport.abort()
