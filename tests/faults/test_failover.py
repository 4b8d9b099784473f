"""A cluster of three: a node that stands still takes nothing with it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from libs.common.broker.port import Ack, Broker, Subscription
from libs.common.broker.rabbitmq.broker import RabbitBroker
from libs.common.broker.rabbitmq.declaration import declare
from libs.common.clock import SystemClock
from libs.common.errors import TransientError
from tests.contracts.broker_rig import CLASSIFIER, TOPOLOGY, message
from tests.services.places import open_place
from tests.services.rabbitmq import programs_under_test, server_of
from tests.services.rabbitmq_cluster import cluster
from tests.services.rabbitmq_node import Node
from tests.services.vhosts import Vhost, fresh

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]

_BEFORE, _DURING, _AFTER = 100, 300, 100
_COME_AGAIN_SECONDS = 0.05
#: An election takes seconds; this only ends what hangs.
PATIENCE_SECONDS = 60.0


@pytest.fixture
async def nodes() -> AsyncIterator[list[Node]]:
    with open_place() as folder:
        nodes = cluster(programs_under_test(), Path(folder), 3)
        try:
            await asyncio.gather(*(node.start() for node in nodes))
            yield nodes
        finally:
            for node in nodes:
                node.close()


@pytest.fixture
async def vhost(nodes) -> AsyncIterator[Vhost]:
    async with fresh(server_of(nodes[0])) as vhost:
        yield vhost


def connect(vhost: Vhost, node: Node, publisher: str):
    """Connect to one node of the cluster."""
    here = Vhost(server_of(node), vhost.name)
    return RabbitBroker.open(
        here.url_for(publisher),
        topology=TOPOLOGY,
        clock=SystemClock(),
        publish_timeout_seconds=10.0,
    )


async def publish(broker: Broker, first: int, count: int) -> float:
    """Publish one after the other until each is confirmed; return the longest pause in between."""
    longest = 0.0
    for number in range(first, first + count):
        begun_at = time.monotonic()
        while True:
            try:
                await broker.publish([message(f"m{number}")])
                break
            except TransientError:
                await asyncio.sleep(_COME_AGAIN_SECONDS)
        longest = max(longest, time.monotonic() - begun_at)
    return longest


async def take(subscription: Subscription, wanted: set[str]) -> None:
    """Receive and ack until each was there, whatever fails in between."""
    missing = set(wanted)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while missing:
            with suppress(TransientError):
                deliveries = await subscription.receive(50)
                missing -= {delivery.message.message_id for delivery in deliveries}
                await subscription.settle([(delivery, Ack()) for delivery in deliveries])


def ids(first: int, count: int) -> set[str]:
    return {f"m{number}" for number in range(first, first + count)}


async def leaders(vhost: Vhost, node: Node) -> set[str]:
    rows = await node.management.get("queues", vhost.name)
    return {row["leader"] for row in rows if row["name"] == CLASSIFIER}


async def test_publishing_goes_on_while_a_node_stands_still(nodes, vhost):
    near, other, frozen = nodes
    # The leaders are where the queues were declared: on the node that will stand still.
    await declare(Vhost(server_of(frozen), vhost.name).url_for("cli"), TOPOLOGY)
    assert await leaders(vhost, near) == {frozen.name}

    async with (
        connect(vhost, near, "ingest") as broker,
        connect(vhost, other, "classifier") as consumer,
        consumer.subscribe(CLASSIFIER, prefetch=50) as subscription,
    ):
        await publish(broker, 0, _BEFORE)
        await take(subscription, ids(0, _BEFORE))
        frozen.stop()
        try:
            longest = await publish(broker, _BEFORE, _DURING)
            await take(subscription, ids(_BEFORE, _DURING))
        finally:
            frozen.cont()
        await publish(broker, _BEFORE + _DURING, _AFTER)
        await take(subscription, ids(_BEFORE + _DURING, _AFTER))

    assert longest < PATIENCE_SECONDS
