"""`undeliver up` on a data folder: started, killed, started again, asked by people's commands."""

import asyncio
import os
import random
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from libs.common.broker.opening import BrokerAddress
from libs.common.broker.port import DeadLettered, Message
from libs.common.database.provisioning import role_of
from libs.common.instance import Instance, running
from tests.e2e.programs import Ended, Program, Programs, environment
from tests.e2e.record import Recorded, publish, read_dead_letters, read_record
from tests.e2e.waiting import until
from tests.services.databases import with_login

#: Below the ports that the system gives to outgoing connections.
_PORTS = range(20_000, 30_000)


class Installation:
    """`up` and its data; it always listens for mail on the same port."""

    def __init__(
        self,
        programs: Programs,
        folder: Path,
        configuration: Path,
        settings: Mapping[str, str],
        smtp_port: int,
    ) -> None:
        self.data = folder / "data"
        self.smtp_port = smtp_port
        self._programs = programs
        self._words = ("up", "--config", str(configuration), "--data", str(self.data))
        self._env = environment(INGEST_SMTP_PORT=str(smtp_port), **settings)
        self._program: Program | None = None

    @property
    def program(self) -> Program:
        """The process that runs, or ran last."""
        assert self._program is not None
        return self._program

    @property
    def instance(self) -> Instance:
        """What `up` wrote down for people's commands."""
        instance = running(self.data)
        assert instance is not None
        return instance

    def begin(self) -> None:
        """Start it, and wait for nothing."""
        self._program = self._programs.start(*self._words, env=self._env)

    def await_ready(self) -> None:
        """Wait until it takes mail and its probes say that it is ready."""
        until(self._is_ready, "`undeliver up` to be ready")

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        self.begin()
        self.await_ready()

    def run(self, *words: str) -> Ended:
        """Run a person's command on this installation."""
        return self._programs.run(*words, "--data", str(self.data))

    def get(self, path: str) -> httpx.Response:
        """Ask its probes."""
        return httpx.get(f"http://127.0.0.1:{self.instance.http_port}{path}", timeout=30)

    def dsn(self, publisher: str) -> str:
        """Return how a publisher connects to its database."""
        return with_login(self.instance.cli_postgres_dsn, role_of(publisher), None)

    def recorded(self, *types: str, chain: str | None = None) -> list[Recorded]:
        """Return the record of all tenants or of one chain, or what it holds of some types."""
        everything = asyncio.run(read_record(self.dsn("cli"), chain))
        return [each for each in everything if not types or each.type in types]

    def dead_letters(self) -> Sequence[DeadLettered]:
        """Return what was given up on."""
        return asyncio.run(read_dead_letters(BrokerAddress(postgres_dsn=self.dsn("cli"))))

    def publish(self, publisher: str, message: Message) -> None:
        """Publish a message as an upstream system does."""
        asyncio.run(publish(BrokerAddress(postgres_dsn=self.dsn(publisher)), message))

    def postgres_pid(self) -> int:
        """Return the leading process of its private database."""
        pid_file = self.data / "postgres" / "cluster" / "postmaster.pid"
        return int(pid_file.read_text(encoding="ascii").split()[0])

    def _is_ready(self) -> bool:
        assert self.program.code is None, self.program.story()
        instance = running(self.data)
        if instance is None or instance.pid != self.program.pid:
            return False
        return self.get("/readyz").status_code == 200


@contextmanager
def installation(
    programs: Programs,
    folder: Path,
    configuration: Path,
    settings: Mapping[str, str],
    smtp_port: int | None = None,
) -> Iterator[Installation]:
    """Give an installation that has not been started yet; whatever runs at the end is ended."""
    installed = Installation(programs, folder, configuration, settings, smtp_port or free_port())
    try:
        yield installed
    finally:
        if installed._program is not None and installed.program.code is None:
            installed.program.terminate()


def free_port() -> int:
    """Return a port that nobody listens on, and that no outgoing connection will take."""
    chance = random.Random(f"{os.getpid()} {random.random()}")
    while True:
        port = chance.choice(_PORTS)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
