"""The running server, and the one function that makes it run."""

import asyncio
import secrets
import socket
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

import asyncpg
import structlog

from libs.common.clock import Clock, SystemClock
from libs.common.errors import StartError
from libs.embedded_postgres_server import cluster, orphans, process
from libs.embedded_postgres_server.account import server_account
from libs.embedded_postgres_server.binaries import Binaries, find
from libs.embedded_postgres_server.folder import Folder, claim, socket_folder
from libs.embedded_postgres_server.relocation import within_reach

_SOCKET_PORT = 5432  # part of the socket's name only
_PAUSE_SECONDS = 1.0
_SYSTEM_CLOCK = SystemClock()

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Launch:
    """All that is needed to start the server, again if need be, under the same address."""

    binaries: Binaries
    folder: Folder
    sockets: Path
    port: int
    tcp: bool
    durable: bool
    clock: Clock

    async def start(self) -> Process:
        """Start the server and return when it accepts connections.

        Raises:
            StartError: it does not start.
        """
        await orphans.wait_out(self.folder, self.clock)
        options = cluster.options(self.sockets, self.port, tcp=self.tcp, durable=self.durable)
        child = await process.spawn(
            self.binaries, self.folder, "-D", str(self.folder.cluster), *options
        )
        try:
            await cluster.wait_until_ready(child, self.folder, self.clock)
        except BaseException:
            await process.stop(child)
            raise
        return child


class Server:
    """A private Postgres that answers."""

    def __init__(self, launch: Launch, child: Process) -> None:
        self._launch = launch
        self._child = child
        self._password: str | None = None

    @property
    def pid(self) -> int:
        """The server's leading process."""
        return self._child.pid

    @property
    def binaries(self) -> Binaries:
        """What runs."""
        return self._launch.binaries

    @property
    def password(self) -> str | None:
        """What `dsn` says for every role, over TCP; None on the socket, which asks for none.

        A new one at each start, given to the superuser only: roles get it from whoever makes them.
        """
        return self._password

    def dsn(self, user: str = cluster.SUPERUSER, database: str = "postgres") -> str:
        """Return the address of a database for a role, as asyncpg takes it."""
        if self._password is None:
            place = urlencode({"host": str(self._launch.sockets), "port": self._launch.port})
            return f"postgresql://{quote(user)}@/{quote(database)}?{place}"
        login = f"{quote(user)}:{quote(self._password)}"
        return f"postgresql://{login}@127.0.0.1:{self._launch.port}/{quote(database)}"

    async def supervise(self) -> None:
        """Start the server again whenever it ends on its own, until cancelled.

        Raises:
            StartError: it could not be started again.
        """
        while True:
            code = await self._child.wait()
            _log.error("postgres_ended", exit_code=code)
            await self._launch.clock.sleep(_PAUSE_SECONDS)
            self._child = await self._launch.start()
            _log.info("postgres_restarted", pid=self.pid)

    async def stop(self) -> None:
        """End the server; whoever is connected is cut off."""
        await process.stop(self._child)

    async def open_to_passwords(self) -> None:
        """Give the superuser a password, and let `dsn` name the TCP address from now on."""
        password = secrets.token_urlsafe(32)
        connection = await asyncpg.connect(self.dsn())
        try:
            # The alphabet of `token_urlsafe` needs no quoting, and DDL takes no parameters.
            await connection.execute(f"alter role {cluster.SUPERUSER} password '{password}'")
        finally:
            await connection.close()
        self._password = password


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
    Linux the server ends when the thread ends that called this, even by SIGKILL; elsewhere the
    next start on the same folder ends it.

    Raises:
        StartError: one sentence that says what is in the way.
    """
    if not isinstance(binaries, Binaries):
        binaries = await asyncio.to_thread(find, binaries)
    async with AsyncExitStack() as held:
        with _explained(data_folder):
            account = server_account(data_folder / "cluster")
            folder = held.enter_context(claim(data_folder, account))
            sockets = held.enter_context(socket_folder(folder))
            reachable = await asyncio.to_thread(within_reach, binaries, account, folder.path)
            await cluster.initialise(reachable, folder, durable=durable)
            port = _free_port() if tcp else _SOCKET_PORT
            launch = Launch(reachable, folder, sockets, port, tcp, durable, clock)
            server = Server(launch, await launch.start())
            held.push_async_callback(server.stop)
            if tcp:
                await server.open_to_passwords()
        yield server


@contextmanager
def _explained(data_folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StartError(
            f"The data folder {data_folder} cannot be used: {error.strerror} ({error.filename})."
        ) from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
