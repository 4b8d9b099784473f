"""Returns dead letters to their queues, and puts each on record first."""

from dataclasses import dataclass
from typing import Literal

from libs.common.authority import OPERATOR
from libs.common.broker.decoding import MAX_MESSAGE_ID, decode
from libs.common.broker.port import DeadLettered, DeadLetters, Message, Publisher
from libs.common.broker.publishing import Cause, CausedPublish
from libs.common.clock import Clock
from libs.common.contracts import CONTRACTS
from libs.common.contracts.operation import DeliveryReplayed
from libs.common.errors import PoisonError

Outcome = Literal["replayed", "not_there", "would_replay"]

APP_ID = "undeliver-cli"
#: Nobody who may speak of a tenant was heard: it was refused, not expected, or never looked at.
_PROVES_NO_TENANT = frozenset({"not_authorised", "unknown_type", "delivery_limit", "expired"})


@dataclass(frozen=True, slots=True)
class Replay:
    """Replays on behalf of one person."""

    dead_letters: DeadLetters
    publisher: Publisher
    clock: Clock
    requested_by: str

    async def __call__(self, letter: DeadLettered) -> Outcome:
        """Put a replay on record, then do it.

        In this order: a crash in between leaves a record of what was not done yet, and the letter
        where it was; the second run announces the same under the same id.

        Raises:
            TransientError: `broker_unreachable`, `publish_timeout`, `no_queue`.
            PermanentError: `publish_refused`; nothing was replayed.
        """
        publish = CausedPublish(self.publisher, _cause(letter), clock=self.clock, app_id=APP_ID)
        at = letter.dead_lettered_at.isoformat()
        key = f"{letter.delivery.queue}\n{letter.dead_letter_id}\n{at}\n{self.requested_by}"
        await publish(self._record(letter), key=key)
        return "replayed" if await self.dead_letters.replay(letter.dead_letter_id) else "not_there"

    def _record(self, letter: DeadLettered) -> DeliveryReplayed:
        delivery = letter.delivery
        return DeliveryReplayed(
            tenant=_tenant(letter),
            queue=delivery.queue,
            dead_type=delivery.message.type,
            dead_message_id=delivery.message.message_id,
            publisher=delivery.publisher,
            reason=letter.reason,
            dead_lettered_at=letter.dead_lettered_at,
            attempt=delivery.attempt,
            requested_by=self.requested_by,
        )


def _cause(letter: DeadLettered) -> Cause:
    message = letter.delivery.message
    if _can_be_carried_on(message):
        return Cause.of(letter.delivery)
    # Its own properties are why it is here, maybe: no broker would take them from us.
    return Cause(
        message_id=letter.dead_letter_id,
        correlation_id=letter.dead_letter_id,
        publisher=OPERATOR,
        timestamp=message.timestamp,
        is_message=False,
    )


def _can_be_carried_on(message: Message) -> bool:
    return all(
        0 < len(text) <= MAX_MESSAGE_ID and text.isprintable()
        for text in (message.message_id, message.correlation_id, message.traceparent or "-")
    )


def _tenant(letter: DeadLettered) -> str | None:
    """Return whose chain the record belongs to: the tenant, where that was understood."""
    if letter.reason in _PROVES_NO_TENANT:
        return None
    try:
        return decode(letter.delivery.message, CONTRACTS.keys()).tenant
    except PoisonError:
        return None
