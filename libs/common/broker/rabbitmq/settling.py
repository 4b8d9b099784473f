"""What a settlement is on RabbitMQ.

A failure is a message of our own to a retry step or to the dead letters, confirmed, and then an ack
of the failed one: a crash in between doubles it, the other order would lose it.
"""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import structlog

from libs.common.broker.port import Ack, DeadLetter, Delivery, HandBack, Retry, Settlement
from libs.common.broker.rabbitmq import messages
from libs.common.broker.rabbitmq.consumption import Consumption, Receipt
from libs.common.broker.rabbitmq.names import dead_queue, retry_queue, service_exchange
from libs.common.broker.rabbitmq.outbox import Outbox, Parcel
from libs.common.broker.topology import Queue
from libs.common.clock import Clock
from libs.common.errors import PermanentError, TransientError, UndeliverError

#: What could not be moved comes again, but not in a circle that turns as fast as it can.
_PAUSE_SECONDS = 5.0
#: A process that ends does not wait longer for a broker that does not answer.
_RELEASE_TIMEOUT_SECONDS = 3.0

_log = structlog.get_logger()

Move = tuple[Receipt, Parcel]


class Settling:
    """Settles the deliveries of one queue."""

    def __init__(
        self, outbox: Outbox, queue: Queue, *, publisher: str, delivery_limit: int, clock: Clock
    ) -> None:
        self._outbox = outbox
        self._queue = queue
        self._publisher = publisher
        # Before RabbitMQ 4.3 a hand-back counts towards the limit that is there for crashes.
        self._most_returns = max(1, delivery_limit // 2)
        self._clock = clock

    async def settle(self, settlements: Sequence[tuple[Delivery, Settlement]]) -> None:
        """See `Subscription.settle`."""
        moves: list[Move] = []
        for delivery, settlement in settlements:
            receipt = _receipt_of(delivery)
            if not receipt.consumption.take(receipt):
                continue
            if isinstance(settlement, Ack):
                await receipt.consumption.ack(receipt)
            elif isinstance(settlement, HandBack) and not self._is_worn(receipt):
                await receipt.consumption.hand_back(receipt)
            else:
                moves.append((receipt, self._parcel(delivery, settlement)))
        if moves:
            await self._move_or_hand_back(moves)

    async def release(self, consumption: Consumption) -> None:
        """Hand back all that is held.

        Raises:
            TransientError: `broker_unreachable`; the broker takes it back by itself.
        """
        held = await consumption.stop()
        worn = [receipt for receipt in held if self._is_worn(receipt)]
        moves = [(each, self._parcel(each.arrival.delivery(each), HandBack())) for each in worn]
        try:
            async with asyncio.timeout(_RELEASE_TIMEOUT_SECONDS):
                await _ack_confirmed(moves, await self._publish(moves))
        except TimeoutError:
            _log.warning("release_delayed", queue=self._queue.name, deliveries=len(worn))
        await consumption.hand_back_all()

    async def _move_or_hand_back(self, moves: Sequence[Move]) -> None:
        try:
            errors = await self._publish(moves)
        except asyncio.CancelledError:
            _hold(moves)  # whoever cancels us settles once more
            raise
        failed = await _ack_confirmed(moves, errors)
        if not failed:
            return
        try:
            await self._clock.sleep(_PAUSE_SECONDS)
        except asyncio.CancelledError:
            _hold(failed)
            raise
        for receipt, _ in failed:
            await receipt.consumption.hand_back(receipt)
        reason = next(error.reason for error in errors if error is not None)
        raise TransientError("broker_unreachable", reason)

    async def _publish(self, moves: Sequence[Move]) -> list[UndeliverError | None]:
        return await self._outbox.publish_each([parcel for _, parcel in moves])

    def _is_worn(self, receipt: Receipt) -> bool:
        """Whether the broker may soon take it for one that crashes its consumers.

        It is sent to its own queue anew, and counted from zero.
        """
        return receipt.arrival.delivery_count >= self._most_returns

    def _parcel(self, delivery: Delivery, settlement: Settlement) -> Parcel:
        """Return what becomes of a delivery that cannot stay what it is."""
        key, headers = self._fate(delivery, settlement)
        own = {messages.PUBLISHER: delivery.publisher, **headers}
        message = messages.outgoing(delivery.message, publisher=self._publisher, headers=own)
        return Parcel(service_exchange(self._queue.service), key, message)

    def _fate(self, delivery: Delivery, settlement: Settlement) -> tuple[str, messages.Headers]:
        """Return the queue that it goes to, and what is said there."""
        match settlement:
            case Retry(reason, delay_seconds):
                key = retry_queue(self._queue.name, delay_seconds)
                return key, {messages.ATTEMPT: delivery.attempt + 1, messages.REASON: reason}
            case DeadLetter(reason):
                return dead_queue(self._queue.name), {
                    messages.ATTEMPT: delivery.attempt,
                    messages.REASON: reason,
                    messages.LETTER_ID: str(uuid4()),
                    messages.DEAD_LETTERED_AT: self._clock.now().isoformat(),
                }
        return self._queue.name, {messages.ATTEMPT: delivery.attempt, messages.HANDED_BACK: True}


async def _ack_confirmed(
    moves: Sequence[Move], errors: Sequence[UndeliverError | None]
) -> list[Move]:
    """Ack what is safe elsewhere; return the rest."""
    failed: list[Move] = []
    for move, error in zip(moves, errors, strict=True):
        if error is None:
            await move[0].consumption.ack(move[0])
        else:
            failed.append(move)
    return failed


def _hold(moves: Sequence[Move]) -> None:
    for receipt, _ in moves:
        receipt.consumption.hold(receipt)


def _receipt_of(delivery: Delivery) -> Receipt:
    if not isinstance(delivery.receipt, Receipt):
        raise PermanentError("refused", "not a delivery of this broker")
    return delivery.receipt
