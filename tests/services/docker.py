"""Servers in containers, where an engine answers: the client alone is no engine."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

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


@asynccontextmanager
async def container(
    image: str, port: int, environment: Mapping[str, str]
) -> AsyncIterator[tuple[str, int]]:
    """Run an image and give host and port under which it can be reached from here."""
    from testcontainers.core.container import DockerContainer  # half a second, and rarely needed

    described = DockerContainer(image).with_exposed_ports(port)
    for name, value in environment.items():
        described.with_env(name, value)
    try:
        await asyncio.to_thread(described.start)
        yield described.get_container_host_ip(), int(described.get_exposed_port(port))
    finally:
        await asyncio.to_thread(described.stop)
