"""What a service needs of a message broker.

Every adapter behind it passes `tests/contracts/broker.py`.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it is published: AMQP properties and a body."""

    #: Identity of this message, key for deduplication together with the publisher. A UUID.
    message_id: str
    #: Contract type = routing key.
    type: str
    #: UTF-8 JSON, at most `MAX_BODY_BYTES`.
    body: bytes
    #: The tenant header: repeats the body's, None for the few tenantless types.
    tenant: str | None
    #: The id of the first cause.
    correlation_id: str
    #: The id of the direct cause, None for a first cause.
    causation_id: str | None
    #: When it was made, UTC-aware.
    timestamp: datetime
    #: Which program made it: informative, proves nothing.
    app_id: str
    traceparent: str | None = None
    #: It was sent by another routing key than its type: nobody who hears the type can rely on it.
    is_misrouted: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message handed to one consumer, to be settled exactly once."""

    message: Message
    #: Who published it first, as the broker proved it.
    publisher: str
    queue: str
    #: 1 + failures that a consumer recorded; a hand-back or a lost connection is none.
    attempt: int
    #: It may have been handed out before.
    redelivered: bool
    #: The adapter's own handle.
    receipt: object


@dataclass(frozen=True, slots=True)
class Ack:
    """Done: its effects are durable."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Failed for now: comes back to this same queue after the delay, with `attempt` + 1."""

    reason: str
    #: One of the topology's delay steps.
    delay_seconds: float


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Given up on: kept with its reason, and replayed only by command."""

    reason: str


@dataclass(frozen=True, slots=True)
class HandBack:
    """Not handled: available again at once, `attempt` unchanged."""


Settlement = Ack | Retry | DeadLetter | HandBack


class Publisher(Protocol):
    """Where messages go."""

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish all; returns when each is durable in every queue bound to its type.

        At least once: after an error any part may have been published, so publish all again under
        the same ids.

        Raises:
            TransientError: `broker_unreachable`, `publish_timeout` (no confirm in time; a broker's
                memory alarm hangs silently), `publish_rejected` (a queue refused it), `no_queue`
                (no queue is bound to the type yet).
            PermanentError: `message_too_large`, `publish_refused` (this publisher may not).
        """


class Subscription(Protocol):
    """A consumer's place at one queue."""

    async def receive(self, limit: int) -> Sequence[Delivery]:
        """Wait for at least one delivery and return at most `limit`; order is not promised.

        At most the subscription's prefetch is unsettled at a time: beyond it, this waits.
        Cancellable without losing a delivery.

        Raises:
            TransientError: `broker_unreachable`; call again.
        """

    async def settle(self, settlements: Sequence[tuple[Delivery, Settlement]]) -> None:
        """Settle deliveries in one go. Settling one whose hold was lost changes nothing.

        Raises:
            TransientError: `broker_unreachable`; those deliveries come again, or stay held and are
                settled so when that can be done.
        """


class Broker(Publisher, Protocol):
    """A connection to the broker on behalf of one publisher."""

    def subscribe(self, queue: str, *, prefetch: int) -> AbstractAsyncContextManager[Subscription]:
        """Consume a queue; leaving the context hands back what is unsettled."""

    async def missing(self) -> Sequence[str]:
        """Return the names of the topology's queues and bindings that do not exist: [] = ready."""


@dataclass(frozen=True, slots=True)
class DeadLettered:
    """One message that a consumer gave up on."""

    dead_letter_id: str
    delivery: Delivery
    reason: str
    dead_lettered_at: datetime


class DeadLetters(Protocol):
    """The messages given up on."""

    async def waiting(
        self, queue: str | None = None, *, limit: int = 100
    ) -> Sequence[DeadLettered]:
        """Return dead letters, oldest first; of one queue or of all.

        Raises:
            TransientError: `broker_unreachable`.
        """

    def walk(self, queue: str | None = None) -> AsyncGenerator[DeadLettered, None]:
        """Go through the dead letters of one queue or of all: each queue's oldest first.

        Meets those that were there when it began, each once, however many: it keeps few in memory.
        Any that it has met may be replayed before the next step; one that dies again is not met
        again. While it lasts, others may not see what it has met, and leaving it changes nothing:
        close it (`contextlib.aclosing`).

        Raises:
            TransientError: `broker_unreachable`.
        """

    async def replay(self, dead_letter_id: str) -> bool:
        """Return one to the queue that it came from, attempt 1; False where it is not there.

        Durable when it returns: after a crash or an error it is in one of the two, or in both.

        Raises:
            TransientError: `broker_unreachable`.
        """
