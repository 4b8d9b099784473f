"""A cable to the database server that a test can pull out."""

import asyncio
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit, urlunsplit

_CHUNK_BYTES = 64 * 1024


class Cable:
    """Forwards connections to a Postgres server while it is plugged in."""

    def __init__(self, dsn: str) -> None:
        self._parts = urlsplit(dsn)
        query = parse_qs(self._parts.query)
        self._host = self._parts.hostname or query.get("host", ["127.0.0.1"])[0]
        self._port = self._parts.port or int(query.get("port", ["5432"])[0])
        self._writers: set[asyncio.StreamWriter] = set()
        self._is_plugged = True
        self.port = 0

    @classmethod
    @asynccontextmanager
    async def to(cls, dsn: str):
        cable = cls(dsn)
        server = await asyncio.start_server(cable._forward, "127.0.0.1", 0)
        cable.port = server.sockets[0].getsockname()[1]
        try:
            yield cable
        finally:
            server.close()
            cable.pull()

    def dsn(self, dsn: str) -> str:
        """Return the address of the same database and role through the cable."""
        parts = urlsplit(dsn)
        login = parts.netloc.rpartition("@")[0]
        return urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{self.port}", query=""))

    def pull(self) -> None:
        """Cut every connection, and let none through."""
        self._is_plugged = False
        for writer in self._writers:
            writer.transport.abort()

    def plug_in(self) -> None:
        """Let connections through again."""
        self._is_plugged = True

    async def _forward(self, reader, writer) -> None:
        if not self._is_plugged:
            writer.transport.abort()
            return
        if self._host.startswith("/"):
            far = await asyncio.open_unix_connection(f"{self._host}/.s.PGSQL.{self._port}")
        else:
            far = await asyncio.open_connection(self._host, self._port)
        ends = {writer, far[1]}
        self._writers |= ends
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_pump(reader, far[1]))
                tasks.create_task(_pump(far[0], writer))
        finally:
            self._writers -= ends


async def _pump(reader, writer) -> None:
    try:
        while octets := await reader.read(_CHUNK_BYTES):
            writer.write(octets)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
