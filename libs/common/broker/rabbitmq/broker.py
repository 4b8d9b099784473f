"""The broker on RabbitMQ. See `Broker`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from libs.common.broker.beside import beside
from libs.common.broker.port import Message
from libs.common.broker.rabbitmq.dead_letters import RabbitDeadLetters
from libs.common.broker.rabbitmq.inspection import Inspection
from libs.common.broker.rabbitmq.link import Link, linked
from libs.common.broker.rabbitmq.messages import outgoing
from libs.common.broker.rabbitmq.outbox import Outbox, Parcel
from libs.common.broker.rabbitmq.settling import Settling
from libs.common.broker.rabbitmq.subscription import RabbitSubscription
from libs.common.broker.topology import EXCHANGE, MAX_BODY_BYTES, Queue, Topology
from libs.common.clock import Clock
from libs.common.errors import PermanentError

PUBLISH_TIMEOUT_SECONDS = 10.0
#: AMQP's short strings end here.
_MAX_PROPERTY_BYTES = 255
#: Headers share one frame of 128 KiB.
_MAX_HEADER_BYTES = 4096


class RabbitBroker:
    """See `Broker`. The publisher is the user that the connections sign in as.

    Publishing has a connection of its own: a broker short of memory or disk stops reading from
    whoever publishes, and acks behind that would wait, too.
    """

    def __init__(
        self,
        publishing: Link,
        consuming: Link,
        *,
        topology: Topology,
        clock: Clock,
        publish_timeout_seconds: float,
    ) -> None:
        self._publishing = publishing
        self._consuming = consuming
        self._topology = topology
        self._clock = clock
        self._outbox = Outbox(publishing, clock=clock, timeout_seconds=publish_timeout_seconds)
        self._inspection = Inspection(consuming, topology, clock)
        #: See `DeadLetters`.
        self.dead_letters = RabbitDeadLetters(consuming, self._outbox, topology)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        amqp_url: str,
        *,
        topology: Topology,
        clock: Clock,
        publish_timeout_seconds: float = PUBLISH_TIMEOUT_SECONDS,
    ) -> AsyncIterator["RabbitBroker"]:
        """Connect as the user that the address names.

        Raises:
            TransientError: `broker_unreachable`.
        """
        async with (
            linked(amqp_url, purpose="publish", clock=clock) as publishing,
            linked(amqp_url, purpose="consume", clock=clock) as consuming,
        ):
            yield cls(
                publishing,
                consuming,
                topology=topology,
                clock=clock,
                publish_timeout_seconds=publish_timeout_seconds,
            )

    async def publish(self, messages: Sequence[Message]) -> None:
        """See `Publisher.publish`."""
        for message in messages:
            _check(message)
        if not messages:
            return
        await self._inspection.require({message.type for message in messages})
        user = self._publishing.publisher
        await self._outbox.publish(
            [Parcel(EXCHANGE, each.type, outgoing(each, publisher=user)) for each in messages]
        )

    @asynccontextmanager
    async def subscribe(self, queue: str, *, prefetch: int) -> AsyncIterator[RabbitSubscription]:
        """See `Broker.subscribe`."""
        named = self._queue(queue)
        settling = Settling(
            self._outbox,
            named,
            publisher=self._publishing.publisher,
            delivery_limit=self._topology.delivery_limit,
            clock=self._clock,
        )
        subscription = RabbitSubscription(
            self._consuming, settling, named, prefetch=prefetch, clock=self._clock
        )
        try:
            async with beside(subscription.consuming(), settling.moving()):
                await subscription.began()
                yield subscription
        finally:
            await subscription.release()

    async def missing(self) -> Sequence[str]:
        """See `Broker.missing`, and `Inspection` for what cannot be seen."""
        return await self._inspection.missing()

    def _queue(self, name: str) -> Queue:
        for queue in self._topology.queues:
            if queue.name == name:
                return queue
        raise PermanentError("refused", f"{name} is no queue of this topology")


def _check(message: Message) -> None:
    """Refuse what would break the channel, and with it what others publish."""
    if len(message.body) > MAX_BODY_BYTES:
        raise PermanentError("message_too_large", f"{len(message.body)} bytes of {message.type}")
    properties = (message.message_id, message.type, message.correlation_id, message.app_id)
    headers = (message.tenant or "", message.causation_id or "", message.traceparent or "")
    if not all(each.isprintable() for each in (*properties, *headers)):
        raise PermanentError("publish_refused", "a property holds characters that none may hold")
    if any(len(each.encode()) > _MAX_PROPERTY_BYTES for each in properties):
        raise PermanentError("publish_refused", "a property is longer than 255 bytes")
    if any(len(each.encode()) > _MAX_HEADER_BYTES for each in headers):
        raise PermanentError("publish_refused", "a header is longer than 4096 bytes")
