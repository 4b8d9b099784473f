"""What a settlement is on RabbitMQ.

A failure is a message of our own to a retry step or to the dead letters, confirmed, and then an ack
of the failed one: a crash in between doubles it, the other order would lose it.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
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

#: What could not be moved is tried again, but not in a circle that turns as fast as it can.
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
        self._unmoved: list[Move] = []
        self._has_unmoved = asyncio.Event()

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
        if moves and (errors := await self._move(moves)):
            raise TransientError("broker_unreachable", errors[0].reason)

    async def moving(self) -> None:
        """Move what could not be moved at once, until cancelled.

        It stays held meanwhile. Handed back, it would come again at once, fail again, and be
        counted each time by the broker: an alarm of minutes would bury it as one that crashes its
        consumers. Only what may never be published goes back, and so to that end.
        """
        while True:
            await self._has_unmoved.wait()
            await self._clock.sleep(_PAUSE_SECONDS)
            self._has_unmoved.clear()
            unmoved, self._unmoved = self._unmoved, []
            moves = [move for move in unmoved if move[0].consumption.take(move[0])]
            with suppress(TransientError):  # then the channel is lost, and all comes again
                await self._move(moves, returns_refused=True)

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

    async def _move(
        self, moves: Sequence[Move], *, returns_refused: bool = False
    ) -> list[UndeliverError]:
        """Publish all, and ack what is confirmed; return the errors of the rest, which stays held.

        Raises:
            TransientError: `broker_unreachable`, over an ack.
        """
        try:
            outcomes = await self._publish(moves)
        except asyncio.CancelledError:
            _hold(moves)  # whoever cancels us settles once more, or hands back
            raise
        for move, error in await _ack_confirmed(moves, outcomes):
            if returns_refused and isinstance(error, PermanentError):
                await move[0].consumption.hand_back(move[0])
            else:
                _hold([move])
                self._unmoved.append(move)
                self._has_unmoved.set()
        return [error for error in outcomes if error is not None]

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
    moves: Sequence[Move], outcomes: Sequence[UndeliverError | None]
) -> list[tuple[Move, UndeliverError]]:
    """Ack what is safe elsewhere; return the rest with its errors."""
    failed: list[tuple[Move, UndeliverError]] = []
    for move, error in zip(moves, outcomes, strict=True):
        if error is None:
            await move[0].consumption.ack(move[0])
        else:
            failed.append((move, error))
    return failed


def _hold(moves: Sequence[Move]) -> None:
    for receipt, _ in moves:
        receipt.consumption.hold(receipt)


def _receipt_of(delivery: Delivery) -> Receipt:
    if not isinstance(delivery.receipt, Receipt):
        raise PermanentError("refused", "not a delivery of this broker")
    return delivery.receipt
