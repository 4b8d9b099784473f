"""Processes that run `undeliver`: what they say is kept, and each is ended by its pid."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from tests.services.choice import forced_step
from tests.services.postgres import programs_under_test

_UNDELIVER = Path(sys.executable).with_name("undeliver")
#: Settings of whoever runs the tests are not the tests'.
_SETTINGS = ("AUDIT_", "CLASSIFIER_", "CLI_", "INGEST_", "RETRACTOR_", "UNDELIVER_")
_TOLD_CHARACTERS = 6000
_PROCESSES = Path("/proc")
COMMAND_SECONDS = 60.0


def environment(**settings: str) -> dict[str, str]:
    """Return the environment of a program: ours without any setting of undeliver, and `settings`.

    The programs of Postgres are those that the session's tests are about.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_SETTINGS)}
    if forced_step("postgres", os.environ.get("TEST_SERVICES", "")) == "binaries":
        kept["UNDELIVER_PG_BIN"] = str(programs_under_test().folder)
    return kept | {"INGEST_SMTP_PORT": "0", "UNDELIVER_HTTP_PORT": "0"} | settings


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """Its output as JSON, one object a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def record(self) -> dict[str, Any]:
        """The only object that it printed."""
        (only,) = self.records
        return only


class Program:
    """`undeliver …` in a process of its own."""

    def __init__(
        self, words: tuple[str, ...], log: Path, env: Mapping[str, str], wrapper: tuple[str, ...]
    ) -> None:
        self.words = words
        self._out = log.with_suffix(".out")
        self._err = log.with_suffix(".err")
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                [*wrapper, str(_UNDELIVER), *words],
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, seconds: float = COMMAND_SECONDS) -> Ended:
        """Wait for its end."""
        code = self._process.wait(seconds)
        return Ended(code, _text(self._out), _text(self._err))

    def terminate(self) -> Ended:
        """End it as a supervisor does: SIGTERM, and time to clean up."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait(COMMAND_SECONDS)

    def story(self) -> str:
        """Return what it said, for whoever has to find out why a test failed."""
        said = [
            f"{path.suffix}:\n{_text(path)[-_TOLD_CHARACTERS:]}" for path in (self._out, self._err)
        ]
        return f"undeliver {' '.join(self.words)} → {self.code}\n" + "\n".join(said)


class Programs:
    """The programs of one test session."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[Program] = []
        self._numbers = count(1)

    def start(
        self, *words: str, env: Mapping[str, str] | None = None, wrapper: tuple[str, ...] = ()
    ) -> Program:
        """Start `undeliver` with these words, and let it run."""
        log = self._folder / f"{next(self._numbers):04d}-{words[0]}"
        program = Program(words, log, environment() if env is None else env, wrapper)
        self._started.append(program)
        return program

    def run(
        self, *words: str, env: Mapping[str, str] | None = None, wrapper: tuple[str, ...] = ()
    ) -> Ended:
        """Run `undeliver` with these words to its end."""
        return self.start(*words, env=env, wrapper=wrapper).wait()

    def stories(self) -> Iterator[tuple[str, str]]:
        """Yield what the latest programs said."""
        for program in self._started[-6:]:
            yield f"undeliver {program.words[0]} (process {program.pid})", program.story()

    def end_all(self) -> None:
        """Leave none running."""
        for program in self._started:
            if program.code is None:
                program.kill()


def processes_about(place: Path) -> dict[int, str]:
    """Return the processes that have to do with a folder: by command line, environment or place."""
    mark, found = os.fsencode(place), {}
    for entry in _PROCESSES.iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):  # it has ended meanwhile, or is somebody else's
                words = (entry / "cmdline").read_bytes()
                traces = (
                    words,
                    (entry / "environ").read_bytes(),
                    os.fsencode((entry / "cwd").readlink()),
                )
                if any(mark in trace for trace in traces):
                    found[int(entry.name)] = words.replace(b"\0", b" ").decode(errors="replace")
    return found


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
