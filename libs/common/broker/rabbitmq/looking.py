"""Taking dead letters in the hand, one after the other, and putting them back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID, uuid5

from aiormq.abc import AbstractChannel, DeliveredMessage
from pamqp.commands import Basic

from libs.common.broker.port import DeadLettered
from libs.common.broker.rabbitmq import messages
from libs.common.broker.rabbitmq.errors import broker_errors
from libs.common.broker.rabbitmq.link import CALL_TIMEOUT_SECONDS, Link, close_channel
from libs.common.broker.rabbitmq.messages import Arrival
from libs.common.broker.rabbitmq.names import dead_queue
from libs.common.broker.topology import Queue
from libs.common.errors import TransientError

#: Of what the broker itself gave up on: it crashed its consumer again and again,
CRASHED = "delivery_limit"
#: or its publisher had set an `expiration`, and it was over before anybody looked.
EXPIRED = "expired"

_IDS = UUID("9d0c0a35-6f0e-4a2b-8a39-0d3b5d9be6f4")


@dataclass(frozen=True, slots=True)
class Held:
    """A letter in the hand."""

    letter: DeadLettered
    tag: int


class Look:
    """A channel that holds letters of one queue until it is closed."""

    def __init__(self, channel: AbstractChannel, queue: Queue) -> None:
        self._channel = channel
        self._queue = queue
        self._tags: dict[str, int] = {}
        self._last: Held | None = None

    async def count(self) -> int:
        """Return how many wait. Errors as `next`."""
        with broker_errors():
            async with asyncio.timeout(CALL_TIMEOUT_SECONDS):
                answer = await self._channel.queue_declare(
                    dead_queue(self._queue.name), passive=True
                )
        return answer.message_count or 0

    async def next(self) -> Held | None:
        """Take the oldest that nobody holds; None = there is none.

        Raises:
            TransientError: `broker_unreachable`, `no_queue`.
            PermanentError: `refused`.
        """
        with broker_errors():
            async with asyncio.timeout(CALL_TIMEOUT_SECONDS):
                arrived = await self._channel.basic_get(dead_queue(self._queue.name))
        if isinstance(arrived.delivery, Basic.GetEmpty):
            return None
        held = Held(_letter_of(arrived, self._queue), arrived.delivery_tag or 0)
        self._tags[held.letter.dead_letter_id] = held.tag
        self._last = held
        return held

    async def again(self, dead_letter_id: str) -> Held | None:
        """Return one that this look holds; None = it does not. Errors as `next`.

        Only the last is kept in memory. An earlier one is put back, which is where `next` begins.
        """
        if self._last is not None and self._last.letter.dead_letter_id == dead_letter_id:
            return self._last
        tag = self._tags.pop(dead_letter_id, None)
        if tag is None:
            return None
        with broker_errors():
            await self._channel.basic_nack(tag, requeue=True)
        return await self.next()

    async def settle(self, held: Held) -> None:
        """Take one out of the queue for good. Errors as `next`."""
        del self._tags[held.letter.dead_letter_id]
        self._last = None
        with broker_errors():
            await self._channel.basic_ack(held.tag)

    async def put_back(self) -> None:
        """Put all back where they were. Errors as `next`."""
        with broker_errors():
            await self._channel.basic_nack(0, multiple=True, requeue=True)


@asynccontextmanager
async def looking(link: Link, queue: Queue) -> AsyncIterator[Look]:
    """Look into a queue's dead letters while the body runs."""
    channel = await link.open_channel()
    try:
        look = Look(channel, queue)
        yield look
        with suppress(TransientError):  # then the broker takes them back by itself
            await look.put_back()
    finally:
        await close_channel(channel)


def _letter_of(arrived: DeliveredMessage, queue: Queue) -> DeadLettered:
    arrival = Arrival(arrived, queue)
    # It was handed out before it came here; that somebody looked at it says nothing.
    delivery = replace(arrival.delivery(receipt=None), redelivered=True)
    letter_id = arrival.own_text(messages.LETTER_ID)
    if letter_id is None:
        name = f"{queue.name}\n{delivery.publisher}\n{delivery.message.message_id}"
        reason, at = _own_death(arrival)
        return DeadLettered(str(uuid5(_IDS, name)), delivery, reason, at)
    reason = arrival.own_text(messages.REASON) or ""
    at = datetime.fromisoformat(arrival.own_text(messages.DEAD_LETTERED_AT) or "")
    return DeadLettered(letter_id, delivery, reason, at)


def _own_death(arrival: Arrival) -> tuple[str, datetime]:
    """Return why and when the broker gave it up, by its own record: the time only to sort by."""
    deaths = arrival.headers.get("x-death")
    first = deaths[0] if isinstance(deaths, list) and deaths else None
    death = first if isinstance(first, dict) else {}
    reason = EXPIRED if death.get("reason") == EXPIRED else CRASHED
    at = death.get("time")
    return reason, at if isinstance(at, datetime) else datetime.fromtimestamp(0, UTC)
