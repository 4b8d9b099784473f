"""Servers in containers, where an engine answers: the client alone is no engine."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.services.choice import UnavailableError

_ANSWER_SECONDS = 10.0


def engine_version() -> str:
    """Return the engine's version.

    Raises:
        UnavailableError: there is no client, or no engine behind it.
    """
    client = shutil.which("docker")
    if client is None:
        raise UnavailableError("no docker client")
    try:
        run = subprocess.run(
            [client, "info", "--format", "{{.ServerVersion}}"],
            capture_output=True,
            timeout=_ANSWER_SECONDS,
            check=False,
            text=True,
        )
    except subprocess.TimeoutExpired as error:
        raise UnavailableError("the docker engine does not answer") from error
    if run.returncode != 0 or not run.stdout.strip():
        raise UnavailableError("no docker engine behind the client")
    return run.stdout.strip()


@dataclass(frozen=True, slots=True)
class Container:
    """A container that runs: where its ports are reached from here, and a way to work inside."""

    host: str
    ports: Mapping[int, int]
    run: Callable[[list[str]], str]


@asynccontextmanager
async def container(
    image: str, ports: Sequence[int], environment: Mapping[str, str]
) -> AsyncIterator[Container]:
    """Run an image."""
    from testcontainers.core.container import DockerContainer  # half a second, and rarely needed

    described = DockerContainer(image).with_exposed_ports(*ports)
    for name, value in environment.items():
        described.with_env(name, value)
    try:
        await asyncio.to_thread(described.start)
        reached = {port: int(described.get_exposed_port(port)) for port in ports}
        yield Container(
            described.get_container_host_ip(),
            reached,
            lambda command: described.exec(command).output.decode(errors="replace"),
        )
    finally:
        await asyncio.to_thread(described.stop)
