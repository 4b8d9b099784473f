"""What the broker's contract suite needs around a broker, and its words."""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from libs.common.broker.port import (
    Ack,
    Broker,
    DeadLetters,
    Delivery,
    Message,
    Subscription,
)
from libs.common.broker.topology import ALL, Queue, Topology
from libs.common.errors import TransientError

HAPPENED = "test.happened.v1"
COMMAND = "test.command.v1"
UNHEARD = "test.unheard.v1"

CLASSIFIER = "test.classifier.events.v1"
COMMANDS = "test.retractor.commands.v1"
EVENTS = "test.retractor.events.v1"
AUDIT = "test.audit.events.v1"

SHORT_SECONDS, LONG_SECONDS = 0.2, 0.6

TOPOLOGY = Topology(
    queues=(
        Queue(CLASSIFIER, "classifier", (HAPPENED,)),
        Queue(COMMANDS, "retractor", (COMMAND,)),
        Queue(EVENTS, "retractor", (HAPPENED,)),
        Queue(AUDIT, "audit", (ALL,)),
    ),
    delay_steps_seconds=(SHORT_SECONDS, LONG_SECONDS),
    delivery_limit=3,
)
#: One consumer more, which is not declared yet.
WIDER = replace(
    TOPOLOGY, queues=(*TOPOLOGY.queues, Queue("test.classifier.late.v1", "classifier", (COMMAND,)))
)

#: Nothing here takes this long; it only ends what hangs.
PATIENCE_SECONDS = 10.0
#: Long enough to show that nothing comes.
SILENCE_SECONDS = 0.15


class BrokerRig(Protocol):
    """A broker of its own for one test, with `TOPOLOGY` declared, and the means to hurt it."""

    async def connect(
        self,
        publisher: str,
        *,
        topology: Topology = TOPOLOGY,
        publish_timeout_seconds: float = PATIENCE_SECONDS,
    ) -> Broker:
        """Connect on behalf of a publisher, until the test ends."""

    async def dead_letters(self) -> DeadLetters:
        """Return the dead letters as people's commands see them."""

    async def declare(self, topology: Topology) -> None:
        """Declare a topology."""

    async def kill(self, broker: Broker) -> None:
        """Let a connection's process die, holding what it holds, and be found dead."""

    async def cut(self) -> None:
        """Close every connection from the broker's side."""

    def stalled(self) -> AbstractAsyncContextManager[None]:
        """Let the broker take what is published without ever confirming it."""


def message(message_id: str = "m1", type_: str = HAPPENED, **changes: object) -> Message:
    made = Message(
        message_id=message_id,
        type=type_,
        body=b"{}",
        tenant="acme",
        correlation_id="c1",
        causation_id="c0",
        timestamp=datetime(2026, 1, 5, 9, 30, tzinfo=UTC),
        app_id="suite",
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # the caller names fields


async def receive(subscription: Subscription, count: int) -> list[Delivery]:
    """Return exactly `count` deliveries, unsettled. A lost connection is waited out."""
    deliveries: list[Delivery] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(deliveries) < count:
            try:
                deliveries += await subscription.receive(count - len(deliveries))
            except TransientError:
                await asyncio.sleep(0.05)
    return deliveries


async def take(broker: Broker, queue: str, count: int = 1) -> list[Delivery]:
    """Receive and ack."""
    async with broker.subscribe(queue, prefetch=max(count, 1)) as subscription:
        deliveries = await receive(subscription, count)
        await subscription.settle([(delivery, Ack()) for delivery in deliveries])
    return deliveries


async def silent(subscription: Subscription) -> bool:
    """Tell whether nothing comes for a while."""
    try:
        async with asyncio.timeout(SILENCE_SECONDS):
            return not await subscription.receive(1)
    except TimeoutError:
        return True


async def is_empty(broker: Broker, queue: str) -> bool:
    async with broker.subscribe(queue, prefetch=1) as subscription:
        return await silent(subscription)


def ids(deliveries: list[Delivery]) -> list[str]:
    return sorted(delivery.message.message_id for delivery in deliveries)
