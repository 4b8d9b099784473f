"""Servers of these tests' own: they may be killed, frozen and started again."""

import os
import signal
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from libs.common.broker.beside import beside
from libs.embedded_postgres_server import Server, serve
from tests.e2e.programs import processes_about
from tests.services.postgres import programs_under_test


@contextmanager
def frozen(pids: Iterable[int]) -> Iterator[None]:
    """Let processes stand still, as on a machine whose disk has gone."""
    still = list(pids)
    try:
        for pid in still:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in still:
            os.kill(pid, signal.SIGCONT)


class OwnPostgres:
    """A Postgres that is started again whenever it ends, at the same address."""

    def __init__(self, server: Server, folder: Path) -> None:
        self._server = server
        self._folder = folder

    @property
    def superuser_dsn(self) -> str:
        return self._server.dsn()

    @property
    def password(self) -> str | None:
        """Of every role, where the server asks for one."""
        return self._server.password

    @property
    def pid(self) -> int:
        """The leading process."""
        return self._server.pid

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let all its processes stand still."""
        with frozen(processes_about(self._folder / "cluster")):
            yield


@asynccontextmanager
async def own_postgres(folder: Path, *, tcp: bool = False) -> AsyncIterator[OwnPostgres]:
    """Run the programs under test on a folder, with a port only where something must be between."""
    async with (
        serve(folder, binaries=programs_under_test(), tcp=tcp, durable=False) as server,
        beside(server.supervise()),
    ):
        yield OwnPostgres(server, folder)
