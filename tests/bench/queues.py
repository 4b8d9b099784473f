"""Our adapters of the broker port against their client library alone, on the same server."""

import asyncio
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median
from uuid import uuid4

import aio_pika

from libs.common.broker.opening import BrokerAddress, declare_topology, open_broker
from libs.common.broker.port import Ack, Broker, Message
from libs.common.broker.topology import AUDIT_EVENTS
from libs.common.clock import SystemClock
from tests.bench.report import Figure, Target, middle, say
from tests.bench.stand import Size, Stand
from tests.services import databases, vhosts

#: Only audit's queue is bound to it.
_TYPE = "copy.settled.v1"
_BODY = json.dumps({"tenant": "acme", "filler": "x" * 2000}).encode()
#: Messages that wait for their confirm at a time, and deliveries without settlement.
OUTSTANDING = 100


async def bare_round(url: str, count: int) -> tuple[float, float]:
    """Publish and consume with aio-pika alone; return seconds of each."""
    connection = await aio_pika.connect(url)
    async with connection, connection.channel(publisher_confirms=True) as channel:
        exchange = await channel.declare_exchange("bench", "topic", durable=True)
        queue = await channel.declare_queue(
            "bench", durable=True, arguments={"x-queue-type": "quorum"}
        )
        await queue.bind(exchange, _TYPE)
        started = time.perf_counter()
        for first in range(0, count, OUTSTANDING):
            await asyncio.gather(
                *(
                    exchange.publish(_bare_message(), _TYPE, mandatory=True, timeout=30)
                    for _ in range(min(OUTSTANDING, count - first))
                )
            )
        published = time.perf_counter()
        await channel.set_qos(OUTSTANDING)
        async with asyncio.timeout(120), queue.iterator() as deliveries:
            left = count
            async for delivery in deliveries:
                await delivery.ack()
                left -= 1
                if left == 0:
                    break
        return published - started, time.perf_counter() - published


async def our_round(publisher: Broker, consumer: Broker, count: int) -> tuple[float, float]:
    """Publish and consume through the port; return seconds of each."""
    started = time.perf_counter()
    for first in range(0, count, OUTSTANDING):
        await publisher.publish([_message() for _ in range(min(OUTSTANDING, count - first))])
    published = time.perf_counter()
    async with (
        asyncio.timeout(120),
        consumer.subscribe(AUDIT_EVENTS, prefetch=OUTSTANDING) as subscription,
    ):
        left = count
        while left > 0:
            deliveries = await subscription.receive(OUTSTANDING)
            await subscription.settle([(each, Ack()) for each in deliveries])
            left -= len(deliveries)
    return published - started, time.perf_counter() - published


def measure(stand: Stand, size: Size) -> Sequence[Figure]:
    """Measure both queues, round by round in turn."""
    return stand.ground.beside.call(_measure(stand, size), seconds=600)


async def _measure(stand: Stand, size: Size) -> Sequence[Figure]:
    count = size.messages * 5
    superuser_dsn = stand.ground.postgres.superuser_dsn
    async with (
        vhosts.fresh(stand.rabbitmq) as vhost,
        databases.provisioned(superuser_dsn, password=None) as server,
        databases.fresh(server) as database,
    ):
        on_rabbitmq = _on_rabbitmq(vhost)
        on_postgres = [
            BrokerAddress(postgres_dsn=dsn)
            for dsn in (
                database.superuser_dsn,
                database.dsn_for("retractor"),
                database.dsn_for("audit"),
            )
        ]
        rounds: dict[str, list[tuple[float, float]]] = {
            "aio-pika": [],
            "rabbitmq": [],
            "postgres": [],
        }
        for addresses in (on_rabbitmq, on_postgres):
            await declare_topology(addresses[0])
        for _ in range(size.rounds):
            rounds["aio-pika"].append(await bare_round(vhost.admin_url, count))
            rounds["rabbitmq"].append(await _connected_round(*on_rabbitmq[1:], count))
            rounds["postgres"].append(await _connected_round(*on_postgres[1:], count))
    return _figures(rounds, count)


def through_rabbitmq(stand: Stand, count: int) -> float:
    """Return the seconds that so many messages take through RabbitMQ, and nothing else."""
    return stand.ground.beside.call(_through_rabbitmq(stand, count), seconds=600)


async def _through_rabbitmq(stand: Stand, count: int) -> float:
    async with vhosts.fresh(stand.rabbitmq) as vhost:
        operator, sends, receives = _on_rabbitmq(vhost)
        await declare_topology(operator)
        return sum(await _connected_round(sends, receives, count))


def _on_rabbitmq(vhost: vhosts.Vhost) -> list[BrokerAddress]:
    return [
        BrokerAddress(postgres_dsn=None, amqp_url=vhost.url_for(user))
        for user in ("cli", "retractor", "audit")
    ]


async def _connected_round(
    sends: BrokerAddress, receives: BrokerAddress, count: int
) -> tuple[float, float]:
    clock = SystemClock()
    async with (
        open_broker(sends, clock=clock) as publisher,
        open_broker(receives, clock=clock) as consumer,
    ):
        return await our_round(publisher, consumer, count)


def _figures(rounds: dict[str, list[tuple[float, float]]], count: int) -> Sequence[Figure]:
    rates = {
        (queue, what): [count / each[place] for each in measured]
        for queue, measured in rounds.items()
        for place, what in enumerate(("publish", "consume"))
    }
    for (queue, what), values in rates.items():
        say(middle(f"{queue}, {what}, 2 KB, {OUTSTANDING} outstanding", values, "messages/s"))
    figures = []
    for what in ("publish", "consume"):
        ours, bare = rates["rabbitmq", what], rates["aio-pika", what]
        by_round = [rate / other for rate, other in zip(ours, bare, strict=True)]
        postgres = median(rates["postgres", what])
        figures += [
            Figure(f"broker_{what}_of_aio_pika", median(by_round), "ratio", Target(">=", 0.5)),
            Figure(f"broker_{what}", median(ours), "messages/s"),
            Figure(f"postgres_queue_{what}", postgres, "messages/s"),
        ]
    return figures


def _message() -> Message:
    message_id = str(uuid4())
    return Message(
        message_id=message_id,
        type=_TYPE,
        body=_BODY,
        tenant="acme",
        correlation_id=message_id,
        causation_id=None,
        timestamp=datetime.now(UTC),
        app_id="bench",
    )


def _bare_message() -> aio_pika.Message:
    """Return what carries as much as ours."""
    message_id = str(uuid4())
    return aio_pika.Message(
        _BODY,
        message_id=message_id,
        type=_TYPE,
        correlation_id=message_id,
        timestamp=datetime.now(UTC),
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        content_type="application/json",
        headers={"tenant": "acme"},
    )
