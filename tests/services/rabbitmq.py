"""Which RabbitMQ the tests run on: one function for each step of `tests.services.choice`."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from tests.services import docker, foreign_rabbitmq, rabbitmq_programs
from tests.services.choice import Choice, Offer, UnavailableError, choose, forced_step
from tests.services.places import open_place
from tests.services.rabbitmq_node import Node
from tests.services.rabbitmq_programs import Programs
from tests.services.vhosts import RabbitServer

Rabbit = Offer[RabbitServer]


def choose_rabbitmq() -> Choice[RabbitServer]:
    """Decide for this session; starts nothing but a question to a local server.

    Raises:
        ValueError: TEST_SERVICES does not read as documented.
    """
    return choose("rabbitmq", _STEPS, os.environ.get("TEST_SERVICES", ""))


def programs_under_test() -> Programs:
    """Return the programs for servers that a test starts itself: the forced ones, or the first.

    Raises:
        UnavailableError: there are none.
    """
    match forced_step("rabbitmq", os.environ.get("TEST_SERVICES", "")):
        case "binaries":
            return rabbitmq_programs.installed()
        case "packages":
            return rabbitmq_programs.unpacked()
        case _:
            return rabbitmq_programs.find()


@asynccontextmanager
async def private(programs: Programs) -> AsyncIterator[RabbitServer]:
    """Run programs as an instance of our own, in a folder that goes away with it."""
    with open_place() as folder:
        node = Node(programs, folder / "rabbitmq")
        try:
            await node.start()
            yield server_of(node)
        finally:
            node.close()


def server_of(node: Node) -> RabbitServer:
    """Return a node as tests see it."""
    return RabbitServer(
        node.programs.version,
        "127.0.0.1",
        node.ports.amqp,
        node.management,
        node.password,
        evaluate=node.eval,
        node=node,
    )


def _env() -> Rabbit:
    url = os.environ.get("TEST_AMQP_URL", "")
    if not url:
        raise UnavailableError("TEST_AMQP_URL is not set")
    return _of_another(url, "TEST_AMQP_URL")


def _local() -> Rabbit:
    return _of_another(foreign_rabbitmq.LOCAL_URL, "127.0.0.1:5672", unused=True)


def _of_another(url: str, place: str, *, unused: bool = False) -> Rabbit:
    version = asyncio.run(foreign_rabbitmq.examine(url, unused=unused))
    rabbitmq_programs.check_version(version)
    return Offer(version, place, partial(foreign_rabbitmq.use, url, version))


def _binaries() -> Rabbit:
    return _programs(rabbitmq_programs.installed())


def _packages() -> Rabbit:
    return _programs(rabbitmq_programs.unpacked())


def _docker() -> Rabbit:
    engine = docker.engine_version()
    return Offer(foreign_rabbitmq.IMAGE, f"docker {engine}", foreign_rabbitmq.contained)


def _programs(found: Programs) -> Rabbit:
    return Offer(found.version, str(found.server), partial(private, found))


_STEPS = {
    "env": _env,
    "local": _local,
    "binaries": _binaries,
    "docker": _docker,
    "packages": _packages,
}
