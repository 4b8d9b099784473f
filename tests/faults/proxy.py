"""A network that can be hurt: a TCP proxy between a client and a server of a test.

It runs in a thread of its own, so a test with an event loop, one without, and one that drives
other processes use it alike. Whatever is set concerns open connections and new ones.
"""

import asyncio
import socket
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from tests.faults.link import Direction, Link, Weather
from tests.services.ports import free_ports

_DEFAULT_PORTS = {"amqp": 5672, "postgresql": 5432}
_PLACE = ("host", "port")
_PATIENCE_SECONDS = 10.0

T = TypeVar("T")


class Network:
    """The way to one server. Every method returns when it has taken effect."""

    def __init__(self, server: str | tuple[str, int]) -> None:
        self.port = free_ports(1)[0]
        self._server = server
        self._weather = Weather()
        self._links: set[Link] = set()
        # Of its thread, and there once it is up.
        self._loop: asyncio.AbstractEventLoop
        self._tasks: asyncio.TaskGroup
        self._listener: socket.socket

    def through(self, url: str) -> str:
        """Return the address that leads to the same server through this network."""
        parts = urlsplit(url)
        login, at, _ = parts.netloc.rpartition("@")
        netloc = f"{login}{at}127.0.0.1:{self.port}"
        # Where the query names a socket, it is no longer the way.
        query = [(name, value) for name, value in parse_qsl(parts.query) if name not in _PLACE]
        return urlunsplit(parts._replace(netloc=netloc, query=urlencode(query)))

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._links)

    def delay(self, seconds: float) -> None:
        """Let everything take so much longer to arrive, in each direction."""
        self._change(latency_seconds=seconds)

    def limit(self, bytes_per_second: float) -> None:
        """Let each direction of a connection carry no more than this."""
        self._change(bytes_per_second=bytes_per_second)

    def swallow(self, *directions: Direction) -> None:
        """Leave connections half-open: they stay, and what is sent on them vanishes.

        Without a direction, in both. New connections are accepted, and swallowed as well.
        """
        self._change(swallowed=frozenset(directions or Direction))

    def forget(self) -> None:
        """Leave the connections of now half-open, as a firewall does that has forgotten them.

        Unlike with `swallow`, new ones are well.
        """
        self._run(self._forget())

    def drop_after(self, size_bytes: int, direction: Direction = Direction.TO_SERVER) -> None:
        """Reset every connection that has carried so many bytes, counted anew from now."""
        self._change(drop_after=(direction, size_bytes))

    def cut(self) -> None:
        """Close every connection, as a proxy does that is shut down in good order."""
        self._run(self._end_links(abruptly=False))

    def reset(self) -> None:
        """Reset every connection, as a host does that was started anew."""
        self._run(self._end_links(abruptly=True))

    def refuse(self) -> None:
        """Refuse new connections; open ones stay."""
        self._run(self._stop_listening())

    def resume(self) -> None:
        """Make everything as it should be; a connection that lost bytes is reset."""
        self._run(self._resume())

    def _change(self, **changes: object) -> None:
        self._run(self._set(changes))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_SECONDS)

    async def _set(self, changes: dict[str, object]) -> None:
        for name, value in changes.items():
            setattr(self._weather, name, value)
        for link in self._links:
            link.count_anew()

    async def _forget(self) -> None:
        for link in self._links:
            link.is_forgotten = True

    async def _resume(self) -> None:
        vars(self._weather).update(vars(Weather()))
        for link in [link for link in self._links if link.has_lost or link.is_forgotten]:
            link.end(abruptly=True)
        if self._listener.fileno() < 0:
            await self._listen()

    async def _end_links(self, *, abruptly: bool) -> None:
        links = list(self._links)
        for link in links:
            link.end(abruptly=abruptly)
        for link in links:
            await link.is_over.wait()

    async def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._listener.setblocking(False)
        self._loop.add_reader(self._listener, self._accept)

    async def _stop_listening(self) -> None:
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(BlockingIOError, ConnectionAbortedError):  # it has thought better of it
            client, _ = self._listener.accept()
            link = Link(self._weather, client, self._server)
            self._links.add(link)
            link.begin(self._tasks, self._links.discard)

    async def _serve(self, is_up: threading.Event, is_over: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as self._tasks:
            await self._listen()
            is_up.set()
            await is_over.wait()
            if self._listener.fileno() >= 0:
                await self._stop_listening()
            await self._end_links(abruptly=True)


@contextmanager
def network_before(url: str) -> Iterator[Network]:
    """Give a network before the server of an AMQP or Postgres address; its thread ends with it."""
    network = Network(_server(url))
    is_up, is_over = threading.Event(), asyncio.Event()

    def work() -> None:
        with asyncio.Runner() as runner:
            network._loop = runner.get_loop()
            runner.run(network._serve(is_up, is_over))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert is_up.wait(_PATIENCE_SECONDS)
        yield network
    finally:
        network._loop.call_soon_threadsafe(is_over.set)
        thread.join()


def _server(url: str) -> str | tuple[str, int]:
    """Return host and port, or the path of a socket."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    port = int(query.get("port") or parts.port or _DEFAULT_PORTS[parts.scheme])
    host = query.get("host") or parts.hostname or "127.0.0.1"
    return f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)
