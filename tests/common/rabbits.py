"""Brokers on a virtual host, and an upstream system that sends in its own way."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import aiormq
import pamqp.frame
from aiormq.abc import ChannelFrame
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from libs.common.broker.port import Ack
from libs.common.broker.rabbitmq.broker import RabbitBroker
from libs.common.broker.rabbitmq.declaration import declare
from libs.common.broker.topology import EXCHANGE
from libs.common.clock import SystemClock
from tests.contracts.broker_rig import HAPPENED, TOPOLOGY, receive

#: As in a deployment, where the suite's is as low as can be.
LENIENT = replace(TOPOLOGY, delivery_limit=20)


class Hurried(SystemClock):
    """Never waits, and remembers for how long it should have."""

    def __init__(self):
        self.slept_seconds = []

    async def sleep(self, seconds):
        self.slept_seconds.append(seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def broker(vhost, publisher, *, url=None, topology=TOPOLOGY, clock=None, **options):
    """Open a broker for a publisher."""
    async with RabbitBroker.open(
        url or vhost.url_for(publisher),
        topology=topology,
        clock=clock or SystemClock(),
        **options,
    ) as opened:
        yield opened


async def declared(vhost, topology=TOPOLOGY):
    """Declare as the operator."""
    await declare(vhost.url_for("cli"), topology)


async def taken(subscription, count=1):
    """Receive and ack."""
    deliveries = await receive(subscription, count)
    await subscription.settle([(delivery, Ack()) for delivery in deliveries])
    return deliveries


class Upstream:
    """A system that knows AMQP, and not our rules."""

    def __init__(self, channel, raw):
        self._channel = channel
        self._raw = raw

    @classmethod
    @asynccontextmanager
    async def open(cls, url):
        async with aiormq.connect(url) as connection:
            yield cls(
                await connection.channel(), await connection.channel(publisher_confirms=False)
            )

    async def publish(self, body=b"{}", *, routing_key=None, exchange=EXCHANGE, **properties):
        """Publish with these properties and no others; by the type unless told otherwise."""
        await self._channel.basic_publish(
            body,
            exchange=exchange,
            routing_key=routing_key or properties.get("message_type") or HAPPENED,
            properties=Basic.Properties(**properties),
            mandatory=True,
        )

    async def publish_raw(self, replaced, *, routing_key=None, body=b"{}", **properties):
        """Publish after replacing bytes before the body: what no client would write."""
        header = ContentHeader(body_size=len(body), properties=Basic.Properties(**properties))
        key = routing_key or properties.get("message_type") or HAPPENED
        command = Basic.Publish(exchange=EXCHANGE, routing_key=key)
        frames = self._marshalled(command) + self._marshalled(header)
        for old, new in replaced.items():
            assert len(old) == len(new)
            assert old in frames
            frames = frames.replace(old, new)
        frames += self._marshalled(ContentBody(body))
        await self._raw.write_queue.put(ChannelFrame(payload=frames, should_close=False))

    def _marshalled(self, frame):
        return pamqp.frame.marshal(frame, self._raw.number)
