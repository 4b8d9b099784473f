"""The recorder's queue, scripted: what it hands out, and how each delivery was settled."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from libs.common.broker.port import Delivery, Message, Settlement
from libs.common.broker.topology import AUDIT_EVENTS


class ScriptedQueue:
    """A broker with one queue. See `Broker` and `Subscription`; failures are raised first."""

    def __init__(self) -> None:
        self.settled: dict[str, Settlement] = {}
        self.published: list[Message] = []
        self.subscribe_failures: list[Exception] = []
        self.receive_failures: list[Exception] = []
        self.settle_failures: list[Exception] = []
        self._waiting: list[Delivery] = []
        self._changed = asyncio.Condition()
        self._prefetch = 0
        self._held = 0

    async def hand_out(self, *deliveries: Delivery) -> None:
        """Let deliveries be received."""
        async with self._changed:
            self._waiting += deliveries
            self._changed.notify_all()

    async def all_settled(self, count: int) -> None:
        """Wait until so many deliveries are settled."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: len(self.settled) >= count)

    @asynccontextmanager
    async def subscribe(self, queue: str, *, prefetch: int) -> AsyncIterator["ScriptedQueue"]:
        """See `Broker.subscribe`."""
        assert queue == AUDIT_EVENTS
        if self.subscribe_failures:
            raise self.subscribe_failures.pop(0)
        self._prefetch = prefetch
        yield self

    async def receive(self, limit: int) -> Sequence[Delivery]:
        """See `Subscription.receive`."""
        if self.receive_failures:
            raise self.receive_failures.pop(0)
        async with self._changed:
            await self._changed.wait_for(lambda: self._waiting and self._held < self._prefetch)
            most = min(limit, self._prefetch - self._held)
            taken, self._waiting = self._waiting[:most], self._waiting[most:]
            self._held += len(taken)
            return taken

    async def settle(self, settlements: Sequence[tuple[Delivery, Settlement]]) -> None:
        """See `Subscription.settle`."""
        async with self._changed:
            self._held -= len(settlements)
            if self.settle_failures:
                self._waiting += [delivery for delivery, _ in settlements]
                self._changed.notify_all()
                raise self.settle_failures.pop(0)
            for delivery, settlement in settlements:
                self.settled[delivery.message.message_id] = settlement
            self._changed.notify_all()

    async def publish(self, messages: Sequence[Message]) -> None:
        """See `Publisher.publish`."""
        self.published += messages

    async def missing(self) -> Sequence[str]:
        """See `Broker.missing`."""
        return []
