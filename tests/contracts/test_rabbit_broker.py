"""The broker on RabbitMQ keeps the broker's contract."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from libs.common.authority import Authority
from libs.common.broker.rabbitmq.broker import RabbitBroker
from libs.common.broker.rabbitmq.declaration import declare
from libs.common.broker.rabbitmq.permissions import definitions
from libs.common.clock import SystemClock
from tests.contracts.broker import BrokerContract
from tests.contracts.broker_rig import PATIENCE_SECONDS, TOPOLOGY, WIDER


class RabbitRig:
    """See `BrokerRig`."""

    def __init__(self, vhost, stack: AsyncExitStack):
        self._vhost = vhost
        self._stack = stack

    async def connect(
        self, publisher, *, topology=TOPOLOGY, publish_timeout_seconds=PATIENCE_SECONDS
    ):
        return await self._stack.enter_async_context(
            RabbitBroker.open(
                self._vhost.url_for(publisher),
                topology=topology,
                clock=SystemClock(),
                publish_timeout_seconds=publish_timeout_seconds,
            )
        )

    async def dead_letters(self):
        return (await self.connect("cli")).dead_letters

    async def declare(self, topology):
        await declare(self._vhost.url_for("cli"), topology)

    async def kill(self, broker):
        for link in (broker._publishing, broker._consuming):
            connection, link._connection = link._connection, None
            link._clock = Forever()  # the dead do not connect again
            connection._writer_task.cancel()
            await asyncio.wait([connection._writer_task])

    async def cut(self):
        await self._vhost.close_connections()

    @asynccontextmanager
    async def stalled(self):
        async with self._vhost.memory_alarm():
            yield


class Forever(SystemClock):
    async def sleep(self, seconds):
        await asyncio.Event().wait()


class Everybody(Authority):
    """Who publishes in the suite: our own services, what the suite publishes."""

    def types(self):
        return dict.fromkeys(super().types(), ("test.*",))


@pytest.fixture
async def rig(vhost):
    await _restrict(vhost)
    async with AsyncExitStack() as stack:
        rig = RabbitRig(vhost, stack)
        await rig.declare(TOPOLOGY)
        yield rig


async def _restrict(vhost):
    """Leave everybody the rights of production, and no others."""
    rights = definitions(Everybody([]), WIDER, vhost=vhost.name)
    for each in rights["permissions"]:
        if each["user"] == "cli":  # the suite's queues are named otherwise than ours
            each.update(dict.fromkeys(("configure", "write", "read"), r"^(undeliver|test)(\..+)?$"))
    await vhost.server.management.call("POST", "definitions", body=rights)


class TestRabbitBroker(BrokerContract):
    @pytest.fixture
    def rig(self, rig):
        return rig
