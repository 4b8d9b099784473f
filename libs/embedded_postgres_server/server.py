"""The running server, and the one function that makes it run."""

import asyncio
import secrets
import socket
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

import asyncpg

from libs.common.clock import Clock, SystemClock
from libs.embedded_postgres_server import cluster, process
from libs.embedded_postgres_server.account import server_account
from libs.embedded_postgres_server.binaries import Binaries, find
from libs.embedded_postgres_server.folder import Folder, claim, socket_folder
from libs.embedded_postgres_server.relocation import within_reach

_SOCKET_PORT = 5432  # part of the socket's name only
_SYSTEM_CLOCK = SystemClock()


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens: on a socket, or on loopback TCP for those who know the password."""

    sockets: Path
    port: int
    password: str | None = None

    def dsn(self, user: str = cluster.SUPERUSER, database: str = "postgres") -> str:
        """Return the address as asyncpg takes it."""
        if self.password is None:
            place = urlencode({"host": str(self.sockets), "port": self.port})
            return f"postgresql://{quote(user)}@/{quote(database)}?{place}"
        login = f"{quote(user)}:{quote(self.password)}"
        return f"postgresql://{login}@127.0.0.1:{self.port}/{quote(database)}"


@dataclass(frozen=True, slots=True)
class Server:
    """A private Postgres that answers. Every role logs in with `password`; None: no need to."""

    binaries: Binaries
    address: Address
    folder: Folder

    @property
    def password(self) -> str | None:
        """The password of the superuser over TCP, to be given to other roles, too."""
        return self.address.password

    def dsn(self, user: str = cluster.SUPERUSER, database: str = "postgres") -> str:
        """Return the address of a database, for a role."""
        return self.address.dsn(user, database)


@asynccontextmanager
async def serve(
    data_folder: Path,
    *,
    binaries: Path | Binaries | None = None,
    tcp: bool = False,
    durable: bool = True,
    clock: Clock = _SYSTEM_CLOCK,
) -> AsyncIterator[Server]:
    """Run a private Postgres on `data_folder`, which is created where it does not exist.

    `binaries` says which programs, or in which folder; None lets the chain of `find` decide.
    With `tcp` it listens on 127.0.0.1, too, and asks for a password; otherwise only on a socket
    that only this account may open. Without `durable` a crash of the machine may lose data. On
    Linux the server ends when the thread ends that called this, even by SIGKILL.

    Raises:
        StartError: one sentence that says what is in the way.
    """
    account = server_account()
    found = binaries if isinstance(binaries, Binaries) else await asyncio.to_thread(find, binaries)
    with claim(data_folder, account) as folder, socket_folder(folder) as sockets:
        reachable = await asyncio.to_thread(within_reach, found, account, folder.path)
        await cluster.initialise(reachable, folder, durable=durable)
        port = _free_port() if tcp else _SOCKET_PORT
        arguments = cluster.options(sockets, port, tcp=tcp, durable=durable)
        child = await _start(reachable, folder, arguments, clock)
        try:
            address = Address(sockets, port)
            if tcp:
                address = await _with_password(address)
            yield Server(reachable, address, folder)
        finally:
            await process.stop(child)


async def _start(binaries: Binaries, folder: Folder, arguments: list[str], clock: Clock) -> Process:
    child = await process.spawn(binaries, folder, "-D", str(folder.cluster), *arguments)
    try:
        await cluster.wait_until_ready(child, folder, clock)
    except BaseException:
        await process.stop(child)
        raise
    return child


async def _with_password(address: Address) -> Address:
    password = secrets.token_urlsafe(32)
    connection = await asyncpg.connect(address.dsn())
    try:
        # The alphabet of `token_urlsafe` needs no quoting, and DDL takes no parameters.
        await connection.execute(f"alter role {cluster.SUPERUSER} password '{password}'")
    finally:
        await connection.close()
    return Address(address.sockets, address.port, password)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
