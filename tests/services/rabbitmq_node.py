"""A RabbitMQ of our own: its processes, started, killed, stopped and started again.

Nothing of it is shared: ports, cookie, name service and data are its own, all on loopback, and its
processes are ended by their ids, also when the session is killed.
"""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import httpx

from tests.services.management import Management
from tests.services.ports import free_ports
from tests.services.rabbitmq_programs import Programs

_LEASH = Path(__file__).with_name("leash.py")
_ADMIN = "admin"
_START_SECONDS = 50.0
_POLL_SECONDS = 0.1
_EVAL_SECONDS = 30.0
_STORY_LINES = 30

_CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
default_user = {user}
default_pass = {password}
disk_free_limit.absolute = 50MB
collect_statistics_interval = 500
"""
#: How often a quorum queue says how much of it is with consumers; 5 s where nobody asks.
_ADVANCED = "[{rabbit, [{quorum_tick_interval, 500}]}].\n"
_QUEUES_ANSWER = """
lists:all(
    fun(Q) ->
        amqqueue:get_type(Q) =/= rabbit_quorum_queue
        orelse element(1, ra:consistent_query(amqqueue:get_pid(Q), fun(_) -> ok end, 1000)) =:= ok
    end,
    rabbit_amqqueue:list())
"""


class EvalError(Exception):
    """The node did not understand, or does not answer."""


class BrokerStartError(Exception):
    """The node does not start; the text is the end of what it said."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of a node, all on loopback."""

    amqp: int
    management: int
    distribution: int
    names: int


@dataclass
class Node:
    """A node on a folder of its own; `start` after `kill` finds the same data and ports."""

    programs: Programs
    folder: Path
    ports: Ports = field(default_factory=lambda: Ports(*free_ports(4)))
    password: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    cookie: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    #: Lines for rabbitmq.conf.
    more: Sequence[str] = field(default=(), repr=False)
    _server: subprocess.Popen[bytes] | None = None
    _names: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """The node's name."""
        return f"undeliver{self.ports.amqp}@localhost"

    @property
    def pid(self) -> int:
        """The Erlang machine's process id."""
        assert self._server is not None
        return self._server.pid

    @property
    def management(self) -> Management:
        """Its HTTP API."""
        return Management(f"http://127.0.0.1:{self.ports.management}", _ADMIN, self.password)

    async def start(self) -> None:
        """Start it, and return when it answers. It lives no longer than the thread that calls.

        Raises:
            BrokerStartError: it ended, or takes too long.
        """
        self._write_configuration()
        # By our own hand: one that Erlang starts becomes a daemon and stays for ever.
        if self._names is None:
            self._names = self._spawn("names", [str(self.programs.erlang / "epmd")])
        self._server = self._spawn("server", [str(self.programs.server)])
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self._wait_until_up()
        except TimeoutError as error:
            self.kill()
            story = self._story()
            raise BrokerStartError(f"no answer after {_START_SECONDS:g} s:\n{story}") from error
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """Kill it, as a power failure would; what it confirmed is on its disk.

        But for what went to a queue declared in the last half second: RabbitMQ 3.10 keeps the
        register of its quorum queues in memory so long. `save_register` does not wait for that.
        """
        if self._server is not None:
            _end(self._server)

    async def save_register(self) -> None:
        """Let queues that were just declared outlive a kill."""
        await self.eval("[dets:sync(Table) || Table <- dets:all()]")

    def stop(self) -> None:
        """Let it hang: its connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def cont(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """End all of it."""
        self.kill()
        if self._names is not None:
            _end(self._names)
            self._names = None

    async def eval(self, expression: str) -> str:
        """Run Erlang in the node and return what it gives, printed.

        Raises:
            EvalError: it failed, or the node does not answer.
        """
        return await asyncio.to_thread(self._eval, expression)

    def _eval(self, expression: str) -> str:
        options = {
            "-address": f"localhost:{self.ports.distribution}",
            "-h": f"test{secrets.token_hex(4)}",  # two of one name at once would fail
            "-c": self.cookie,
        }
        run = subprocess.run(
            [self.programs.erlang / "erl_call", *chain(*options.items()), "-e"],
            input=f"{expression}.\n".encode(),
            env=self._environment(),
            capture_output=True,
            timeout=_EVAL_SECONDS,
            check=False,
        )
        said = (run.stdout + run.stderr).decode(errors="replace").strip()
        if run.returncode != 0 or not said.startswith("{ok, "):
            raise EvalError(f"{expression}: {said}")
        return said.removeprefix("{ok, ").removesuffix("}")

    async def _wait_until_up(self) -> None:
        assert self._server is not None
        while self._server.poll() is None:
            with suppress(httpx.HTTPError, EvalError):
                if await self._is_up():
                    return
            await asyncio.sleep(_POLL_SECONDS)
        raise BrokerStartError(f"exit code {self._server.returncode}:\n{self._story()}")

    async def _is_up(self) -> bool:
        await self.management.get("health", "checks", "port-listener", str(self.ports.amqp))
        # Clients are let in before the queues have recovered, and would find them empty.
        return await self.eval(_QUEUES_ANSWER) == "true"

    def _spawn(self, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.out").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-I", str(_LEASH), str(os.getpid()), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                env=self._environment(),
                start_new_session=True,  # a Ctrl-C at the terminal is for the session alone
            )

    def _write_configuration(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        cookie = self.folder / ".erlang.cookie"
        if cookie.exists():
            return
        cookie.write_text(self.cookie, encoding="ascii")
        cookie.chmod(0o400)
        configuration = _CONFIGURATION.format(
            amqp=self.ports.amqp,
            management=self.ports.management,
            user=_ADMIN,
            password=self.password,
        )
        lines = "".join(f"{line}\n" for line in self.more)
        (self.folder / "rabbitmq.conf").write_text(configuration + lines, encoding="ascii")
        (self.folder / "advanced.config").write_text(_ADVANCED, encoding="ascii")
        (self.folder / "plugins").write_text("[rabbitmq_management].\n", encoding="ascii")

    def _environment(self) -> dict[str, str]:
        loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
        return self.programs.environment() | {
            "HOME": str(self.folder),
            "ERL_EPMD_PORT": str(self.ports.names),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            # Makes the script become the server instead of standing between it and us …
            "RABBITMQ_ALLOW_INPUT": "1",
            # … which would then end with its input.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"-noinput {loopback}",
            "RABBITMQ_SCHEDULER_BIND_TYPE": "u",  # several on one machine share its processors
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_DIST_PORT": str(self.ports.distribution),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
        }

    def _story(self) -> str:
        said = (self.folder / "server.out").read_text(encoding="utf-8", errors="replace")
        return "\n".join(said.splitlines()[-_STORY_LINES:])


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
