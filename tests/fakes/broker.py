"""A broker in memory. Twin of `libs.common.broker.postgres.PostgresBroker`."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from libs.common.broker.port import (
    Ack,
    DeadLetter,
    DeadLettered,
    Delivery,
    HandBack,
    Message,
    Retry,
    Settlement,
)
from libs.common.broker.topology import ALL, MAX_BODY_BYTES, Topology
from libs.common.clock import Clock
from libs.common.errors import PermanentError, TransientError


@dataclass(eq=False)
class _Entry:
    """One message in one queue."""

    message: Message
    publisher: str
    queue: str
    available_at: float
    attempt: int = 1
    handed_out: int = 0
    lost: int = 0
    holder: object = None


@dataclass
class Exchange:
    """What the brokers of a deployment share."""

    clock: Clock
    topology: Topology = field(default_factory=lambda: Topology(queues=()))
    entries: list[_Entry] = field(default_factory=list)
    letters: dict[str, DeadLettered] = field(default_factory=dict)
    #: Cleared: publishes are taken and not confirmed.
    confirms: asyncio.Event = field(default_factory=asyncio.Event)
    brokers: list["MemoryBroker"] = field(default_factory=list)
    _bells: set[asyncio.Event] = field(default_factory=set)
    _ids: "count[int]" = field(default_factory=count)

    def __post_init__(self) -> None:
        self.confirms.set()

    def ring(self) -> None:
        """Wake every consumer."""
        for bell in self._bells:
            bell.set()

    def bury(self, entry: _Entry, reason: str) -> None:
        """Move an entry to the dead letters."""
        self.entries.remove(entry)
        letter_id = f"letter-{next(self._ids)}"
        delivery = _delivery(entry, receipt=None)
        self.letters[letter_id] = DeadLettered(letter_id, delivery, reason, self.clock.now())

    async def until_rung(self, alarms_seconds: Sequence[float]) -> None:
        """Wait for news, or the first of these times."""
        bell = asyncio.Event()
        self._bells.add(bell)
        try:
            async with asyncio.TaskGroup() as tasks:
                alarms = [
                    tasks.create_task(self._ring_after(seconds, bell)) for seconds in alarms_seconds
                ]
                await bell.wait()
                for alarm in alarms:
                    alarm.cancel()
        finally:
            self._bells.discard(bell)

    async def _ring_after(self, seconds: float, bell: asyncio.Event) -> None:
        await self.clock.sleep(seconds)
        bell.set()


class MemoryBroker:
    """See `Broker`."""

    def __init__(
        self,
        exchange: Exchange,
        publisher: str,
        topology: Topology | None = None,
        publish_timeout_seconds: float = 10.0,
    ) -> None:
        self.exchange = exchange
        self.publisher = publisher
        self.topology = topology or exchange.topology
        self.publish_timeout_seconds = publish_timeout_seconds
        #: How many calls fail before the connection is there again.
        self.failures = 0
        self.is_dead = False
        self.dead_letters = MemoryDeadLetters(exchange)
        exchange.brokers.append(self)

    def check(self) -> None:
        """Fail while the connection is lost."""
        if self.is_dead or self.failures > 0:
            self.failures -= 1
            raise TransientError("broker_unreachable")

    async def publish(self, messages: Sequence[Message]) -> None:
        """See `Publisher.publish`."""
        self.check()
        for message in messages:
            if len(message.body) > MAX_BODY_BYTES:
                raise PermanentError("message_too_large")
            if not set(self.topology.queues_for(message.type)) <= self._homes(message.type):
                raise TransientError("no_queue")
        try:
            async with asyncio.timeout(self.publish_timeout_seconds):
                await self.exchange.confirms.wait()
        except TimeoutError:
            raise TransientError("publish_timeout") from None
        now = self.exchange.clock.monotonic()
        for message in messages:
            for queue in self._homes(message.type):
                self.exchange.entries.append(_Entry(message, self.publisher, queue, now))
        self.exchange.ring()

    def _homes(self, type_: str) -> set[str]:
        return {
            queue.name for queue in self.exchange.topology.queues if {type_, ALL} & {*queue.types}
        }

    @asynccontextmanager
    async def subscribe(self, queue: str, *, prefetch: int) -> AsyncIterator["MemorySubscription"]:
        """See `Broker.subscribe`."""
        subscription = MemorySubscription(self, queue, prefetch)
        try:
            yield subscription
        finally:
            subscription.release()

    async def missing(self) -> Sequence[str]:
        """See `Broker.missing`."""
        declared = {queue.name for queue in self.exchange.topology.queues}
        return [queue.name for queue in self.topology.queues if queue.name not in declared]


class MemorySubscription:
    """See `Subscription`."""

    def __init__(self, broker: MemoryBroker, queue: str, prefetch: int) -> None:
        self._broker = broker
        self._exchange = broker.exchange
        self._queue = queue
        self._prefetch = prefetch

    async def receive(self, limit: int) -> Sequence[Delivery]:
        """See `Subscription.receive`."""
        while True:
            self._broker.check()
            now = self._exchange.clock.monotonic()
            waiting = [e for e in self._mine(None) if e.holder is None]
            room = min(limit, self._prefetch - len(self._mine(self)))
            taken = [e for e in waiting if e.available_at <= now][: max(room, 0)]
            deliveries = [delivery for e in taken if (delivery := self._hand_out(e))]
            if deliveries:
                return deliveries
            later = [e.available_at - now for e in waiting if e.available_at > now]
            await self._exchange.until_rung(later)

    async def settle(self, settlements: Sequence[tuple[Delivery, Settlement]]) -> None:
        """See `Subscription.settle`."""
        self._broker.check()
        for delivery, settlement in settlements:
            for entry in self._mine(self):
                if delivery.receipt == (entry, entry.handed_out):
                    self._settle(entry, settlement)
        self._exchange.ring()

    def release(self) -> None:
        """Hand back what is unsettled; a dead process cannot."""
        for entry in self._mine(self):
            if not self._broker.is_dead:
                entry.holder = None
        self._exchange.ring()

    def _mine(self, holder: object) -> list[_Entry]:
        return [
            entry
            for entry in self._exchange.entries
            if entry.queue == self._queue and (holder is None or entry.holder is holder)
        ]

    def _hand_out(self, entry: _Entry) -> Delivery | None:
        if entry.lost > self._exchange.topology.delivery_limit:
            self._exchange.bury(entry, "delivery_limit")
            return None
        entry.holder = self
        entry.handed_out += 1
        return _delivery(entry, receipt=(entry, entry.handed_out))

    def _settle(self, entry: _Entry, settlement: Settlement) -> None:
        match settlement:
            case Ack():
                self._exchange.entries.remove(entry)
            case DeadLetter(reason):
                self._exchange.bury(entry, reason)
            case Retry(_, delay_seconds):
                entry.holder, entry.attempt, entry.lost = None, entry.attempt + 1, 0
                entry.available_at = self._exchange.clock.monotonic() + delay_seconds
            case HandBack():
                entry.holder = None


class MemoryDeadLetters:
    """See `DeadLetters`."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def waiting(self, queue: str | None = None, *, limit: int = 100) -> list[DeadLettered]:
        """See `DeadLetters.waiting`."""
        letters = self._exchange.letters.values()
        return [each for each in letters if queue in {None, each.delivery.queue}][:limit]

    async def walk(self, queue: str | None = None) -> AsyncGenerator[DeadLettered, None]:
        """See `DeadLetters.walk`."""
        for letter in await self.waiting(queue, limit=len(self._exchange.letters)):
            yield letter

    async def replay(self, dead_letter_id: str) -> bool:
        """See `DeadLetters.replay`."""
        letter = self._exchange.letters.pop(dead_letter_id, None)
        if letter is None:
            return False
        delivery = letter.delivery
        now = self._exchange.clock.monotonic()
        self._exchange.entries.append(
            _Entry(delivery.message, delivery.publisher, delivery.queue, now)
        )
        self._exchange.ring()
        return True


def _delivery(entry: _Entry, receipt: object) -> Delivery:
    return Delivery(
        message=entry.message,
        publisher=entry.publisher,
        queue=entry.queue,
        attempt=entry.attempt,
        redelivered=entry.handed_out > 1,
        receipt=receipt,
    )
