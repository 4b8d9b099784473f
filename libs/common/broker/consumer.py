"""The loop that every service runs over a queue: receive, handle side by side, settle together."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

import structlog

from libs.common import metrics
from libs.common.authority import Authority
from libs.common.broker.announcing import announce
from libs.common.broker.beside import beside
from libs.common.broker.handling import Handler, Handling
from libs.common.broker.inbox import Inbox
from libs.common.broker.port import Broker, Delivery, Settlement, Subscription
from libs.common.broker.topology import Topology
from libs.common.clock import Clock
from libs.common.errors import TransientError
from libs.common.tenants.current import CurrentConfiguration

#: Handlers at a time: they wait for others most of the time.
CONCURRENCY = 16

_PAUSE_SECONDS = 1.0
_INBOX_KEEPS = timedelta(days=30)
_FORGET_EVERY_SECONDS = 3600.0

_log = structlog.get_logger()


async def consume(
    broker: Broker,
    queue: str,
    handlers: Mapping[str, Handler],
    *,
    inbox: Inbox,
    configuration: CurrentConfiguration,
    topology: Topology,
    clock: Clock,
    service: str,
    concurrency: int = CONCURRENCY,
) -> None:
    """Handle a queue's messages until cancelled; what is unfinished then goes back to the queue.

    The rights of publishers are those of the configuration in force when a message is handled.

    No message ends it, nor does a broker or database that is gone: it waits, and goes on.

    Raises:
        PermanentError: the broker refuses this queue to this service.
    """
    metrics.start_at_zero(queue)
    authority = configuration.derived(Authority.of)
    handling = Handling(broker, handlers, inbox, configuration, authority, topology, clock, service)
    consumer = _Consumer(handling, queue, concurrency)
    async with beside(_forgetting(inbox, clock)):
        while True:
            try:
                async with broker.subscribe(queue, prefetch=concurrency) as subscription:
                    await consumer.run(subscription)
            except TransientError as error:
                _log.warning("subscribing_failed", queue=queue, reason=error.reason)
                await clock.sleep(_PAUSE_SECONDS)


class _Consumer:
    """One queue's consumer. The subscription's prefetch bounds how many it handles at a time."""

    def __init__(self, handling: Handling, queue: str, concurrency: int) -> None:
        self._handling = handling
        self._queue = queue
        self._concurrency = concurrency
        self._places = asyncio.Semaphore(concurrency)
        self._handled: list[tuple[Delivery, Settlement]] = []
        self._has_handled = asyncio.Event()
        self._is_reachable = True

    async def run(self, subscription: Subscription) -> None:
        """Receive, and start a task for each delivery."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._settling(subscription))
            while True:
                for delivery in await self._receive(subscription):
                    tasks.create_task(self._attend(delivery))

    async def _receive(self, subscription: Subscription) -> Sequence[Delivery]:
        clock = self._handling.clock
        while True:
            try:
                deliveries = await subscription.receive(self._concurrency)
            except TransientError as error:
                if self._is_reachable:
                    _log.warning("receiving_failed", queue=self._queue, reason=error.reason)
                self._is_reachable = False
                await clock.sleep(_PAUSE_SECONDS)
            else:
                if not self._is_reachable:
                    _log.info("receiving_resumed", queue=self._queue)
                self._is_reachable = True
                return deliveries

    async def _attend(self, delivery: Delivery) -> None:
        handling = self._handling
        # A connection that was lost gives new deliveries while the handlers of the old ones run.
        async with self._places:
            message_id = delivery.message.message_id
            with structlog.contextvars.bound_contextvars(
                message_id=message_id, attempt=delivery.attempt
            ):
                started = handling.clock.monotonic()
                verdict = await handling.verdict_on(delivery)
                await announce(handling.publish_for(delivery), delivery, verdict, handling.clock)
        duration_seconds = handling.clock.monotonic() - started
        metrics.HANDLING_SECONDS.labels(queue=self._queue).observe(duration_seconds)
        metrics.DELIVERIES.labels(queue=self._queue, settlement=verdict.settled).inc()
        if verdict.cause is not None:
            metrics.DEAD_LETTERS.labels(queue=self._queue, cause=verdict.cause).inc()
        self._handled.append((delivery, verdict.settlement))
        self._has_handled.set()

    async def _settling(self, subscription: Subscription) -> None:
        """Settle together what was handled meanwhile; at the end, what is left."""
        batch: list[tuple[Delivery, Settlement]] = []
        try:
            while True:
                await self._has_handled.wait()
                self._has_handled.clear()
                batch, self._handled = self._handled, []
                await self._settle(subscription, batch)
                batch = []
        finally:
            # It is done: nobody should have to do it again. Twice settled counts once.
            rest, self._handled = batch + self._handled, []
            await self._settle(subscription, rest)

    async def _settle(
        self, subscription: Subscription, batch: Sequence[tuple[Delivery, Settlement]]
    ) -> None:
        try:
            await subscription.settle(batch)
        except TransientError as error:
            _log.warning(
                "settling_failed", queue=self._queue, reason=error.reason, deliveries=len(batch)
            )


async def _forgetting(inbox: Inbox, clock: Clock) -> None:
    """Keep the inbox from growing for ever."""
    while True:
        try:
            await inbox.forget(clock.now() - _INBOX_KEEPS)
        except TransientError as error:
            _log.warning("inbox_not_pruned", reason=error.reason)
        await clock.sleep(_FORGET_EVERY_SECONDS)
