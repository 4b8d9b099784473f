"""docs/deployment.md, followed to the letter on servers of this test's own."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from libs.embedded_postgres_server import serve
from tests.e2e.background import background
from tests.e2e.programs import environment, processes_about
from tests.e2e.servers import node_of
from tests.e2e.waiting import until
from tests.services.places import open_place
from tests.services.ports import free_ports
from tests.services.postgres import programs_under_test
from tests.services.rabbitmq_node import Node

pytestmark = pytest.mark.timeout(240)

PAGE = Path(__file__).parents[2] / "docs" / "deployment.md"
SERVICES = ("ingest", "classifier", "retractor", "audit")
_READY_SECONDS = 60.0
_LETTERS = "undeliver broker dead-letters"
_END = "-- done --\n"


class Terminal:
    """A shell that stays open: what one block exports, the next one has."""

    def __init__(self, place: Path, words: dict[str, str]) -> None:
        self._words = words
        self._block, self._out = place / "block.sh", place / "printed"
        path = f"{place}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        with self._out.open("wb") as out:
            self._shell = subprocess.Popen(
                ["bash", "-eu"],
                cwd=place,
                env=environment(PATH=path, INGEST_SMTP_PORT="0"),
                stdin=subprocess.PIPE,
                stdout=out,
                text=True,
                start_new_session=True,
            )

    def run(self, script: str) -> str:
        """Run a script and return what it printed."""
        for said, meant in self._words.items():
            script = script.replace(said, meant)
        self._block.write_text(script, encoding="utf-8")
        before = len(self._printed())
        self._shell.stdin.write(f". {self._block} < /dev/null\necho {shlex.quote(_END.strip())}\n")
        self._shell.stdin.flush()
        until(
            lambda: self._printed().endswith(_END, before) or self._shell.poll() is not None, script
        )
        assert self._shell.poll() is None, script
        return self._printed()[before:].removesuffix(_END)

    def _printed(self) -> str:
        return self._out.read_text(encoding="utf-8")

    def close(self) -> None:
        """End the shell and all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGTERM)
        with suppress(BrokenPipeError):
            self._shell.stdin.close()
        self._shell.wait(_READY_SECONDS)
        until(lambda: not processes_about(self._block.parent / "undeliver.yaml"), "all to end")


@contextmanager
def terminal(node: Node, postgres_dsn: str, place: Path, port: int) -> Iterator[Terminal]:
    """Give a shell for which the page's hosts are servers that are there."""
    postgres = urlsplit(postgres_dsn)
    _write_rabbitmqctl(node, place)
    opened = Terminal(
        place,
        {
            "postgres@db.example": postgres.netloc,
            "db.example": f"{postgres.hostname}:{postgres.port}",
            "rabbit.example": f"127.0.0.1:{node.ports.amqp}",
            "s3://undeliver-mail/raw": (place / "blobs").as_uri(),
            "0.0.0.0": "127.0.0.1",
            **{str(8081 + number): str(port + number) for number in range(len(SERVICES))},
        },
    )
    try:
        yield opened
    finally:
        opened.close()


def _write_rabbitmqctl(node: Node, folder: Path) -> None:
    """Give the server's own command, for a node that only we know; as packages do, elsewhere."""
    told = "".join(f"export {k}={shlex.quote(v)}\n" for k, v in node._environment().items())
    own = node.programs.server.with_name("rabbitmqctl")
    program = folder / "rabbitmqctl"
    program.write_text(f'#!/bin/sh\n{told}cd /\nexec {own} -n {node.name} "$@"\n', encoding="utf-8")
    program.chmod(0o755)


def _ports_in_a_row(count: int) -> int:
    while True:
        (first,) = free_ports(1)
        with suppress(OSError):
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return first


def _blocks(language: str) -> list[str]:
    """Return what the page shows in a language, but for the installation."""
    text = PAGE.read_text(encoding="utf-8").partition("## 2. ")[2]
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_guide_leads_to_four_services_and_an_upstream_system(private_rabbitmq):
    setting_up, dead_letters = _blocks("sh")[:-1], _blocks("sh")[-1]
    (program,) = _blocks("python")
    port = _ports_in_a_row(len(SERVICES))
    with (
        open_place() as place,
        background() as beside,
        beside.holding(
            serve(place / "postgres", binaries=programs_under_test(), tcp=True, durable=False)
        ) as postgres,
        terminal(node_of(private_rabbitmq), postgres.dsn(), place, port) as shell,
    ):
        for block in setting_up:
            shell.run(block)
        assert "missing" not in shell.run("undeliver broker topology --check")

        (place / "upstream.py").write_text(program, encoding="utf-8")
        soar = "AMQP_URL=amqp://soar:$(cat secrets/rabbitmq/soar)@rabbit.example/undeliver"
        retraction_id = shell.run(f"{soar} python upstream.py").strip()
        timeline = f"undeliver audit timeline --json --retraction {retraction_id}"
        told = until(lambda: accepted(shell.run(timeline)), "its command to be accepted")
        assert '"publisher": "soar"' in told

        # This one is about a tenant that is none of its business.
        shell.run(f"sed s/acme/globex/ upstream.py > astray.py && {soar} python astray.py")
        letter = json.loads(until(lambda: shell.run(f"{_LETTERS} list --json"), "a dead letter"))
        said = shell.run(dead_letters.replace(" ID", f" {letter['id']}"))
        assert (letter["publisher"], letter["reason"]) == ("soar", "not_authorised")
        assert "mail.retract.v1" in said
        replayed = "undeliver audit search --type delivery.replayed.v1 --json"
        assert letter["message_id"] in until(lambda: shell.run(replayed), "the record of it")


def accepted(told: str) -> str | None:
    return told if "retraction.accepted.v1" in told else None
