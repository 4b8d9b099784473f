"""Servers of these tests' own: they may be killed, frozen and started again."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from libs.common.broker.beside import beside
from libs.embedded_postgres_server import Server, serve
from tests.e2e.programs import processes_about
from tests.services import postgres, rabbitmq
from tests.services.rabbitmq_node import Node
from tests.services.vhosts import RabbitServer

_START_SECONDS = 50.0
_POLL_SECONDS = 0.05


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
    """A Postgres whose address stays while it is killed and started again."""

    def __init__(self, server: Server, folder: Path) -> None:
        self._server = server
        self._folder = folder

    @property
    def superuser_dsn(self) -> str:
        return self._server.dsn()

    @property
    def pid(self) -> int:
        """The leading process."""
        return self._server.pid

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    async def start(self) -> None:
        """Start it on its data once it was killed."""
        before = self.pid
        async with beside(self._server.supervise()), asyncio.timeout(_START_SECONDS):
            while self.pid == before:  # noqa: ASYNC110 - the launcher sets no event
                await asyncio.sleep(_POLL_SECONDS)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let all its processes stand still."""
        with frozen(processes_about(self._folder / "cluster")):
            yield


@asynccontextmanager
async def own_postgres(folder: Path) -> AsyncIterator[OwnPostgres]:
    """Run the programs under test on a folder."""
    binaries = postgres.programs_under_test()
    async with serve(folder, binaries=binaries, durable=False) as server:
        yield OwnPostgres(server, folder)


@asynccontextmanager
async def own_rabbitmq(folder: Path) -> AsyncIterator[Node]:
    """Run a broker on a folder; whoever kills it starts it again.

    Raises:
        UnavailableError: there are no programs for it.
    """
    node = Node(rabbitmq.programs_under_test(), folder)
    try:
        await node.start()
        yield node
    finally:
        node.close()


def node_of(server: RabbitServer) -> Node:
    """Return the process behind a broker of our own."""
    assert server.node is not None
    return server.node
