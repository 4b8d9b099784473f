"""A consumer's place at a queue: claims ahead, keeps its leases alive, settles in batches."""

import asyncio
from collections import deque
from collections.abc import Sequence
from uuid import UUID, uuid4

import structlog

from libs.common.broker.port import Ack, DeadLetter, Delivery, HandBack, Retry, Settlement
from libs.common.broker.postgres.rows import Receipt, delivery_of
from libs.common.broker.postgres.session import Session
from libs.common.clock import Clock
from libs.common.errors import PermanentError, UndeliverError

#: The backstop: how long a consumer sleeps at most before it looks again.
POLL_SECONDS = 1.0
#: A shutdown must not hang on a database that is gone: its leases then run out.
_RELEASE_TIMEOUT_SECONDS = 5.0
#: Heartbeats in a lease: two may fail.
_BEATS_PER_LEASE = 3

_log = structlog.get_logger()


class PostgresSubscription:
    """See `Subscription`. Its loops run while the broker's `subscribe` is entered.

    It claims in a loop of its own, ahead of `receive`: whoever cancels `receive` cannot hit a claim
    half-way.
    """

    def __init__(
        self,
        session: Session,
        queue: str,
        bell: asyncio.Event,
        *,
        prefetch: int,
        clock: Clock,
        lease_seconds: float,
    ) -> None:
        self._session = session
        self._queue = queue
        self._bell = bell
        self._prefetch = prefetch
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._id: UUID = uuid4()
        #: What is unsettled, with its claim; of these, what `receive` has not returned yet.
        self._held: dict[int, int] = {}
        self._arrived: deque[tuple[int, Delivery]] = deque()
        self._failure: UndeliverError | None = None
        #: A call failed, so the server may believe that we hold more than we do.
        self._is_in_doubt = False
        self._has_news = asyncio.Event()
        self._has_moved = asyncio.Event()

    async def receive(self, limit: int) -> Sequence[Delivery]:
        """See `Subscription.receive`."""
        while not self._arrived:
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure
            self._has_news.clear()
            await self._has_news.wait()
        taken = [self._arrived.popleft()[1] for _ in range(min(limit, len(self._arrived)))]
        self._has_moved.set()
        return taken

    async def settle(self, settlements: Sequence[tuple[Delivery, Settlement]]) -> None:
        """See `Subscription.settle`."""
        if not settlements:
            return
        receipts = [_receipt_of(delivery) for delivery, _ in settlements]
        terms = [_terms_of(settlement) for _, settlement in settlements]
        try:
            await self._session.fetch(
                "settle",
                self._queue,
                [receipt.delivery_id for receipt in receipts],
                [receipt.claim for receipt in receipts],
                [verdict for verdict, _, _ in terms],
                [reason for _, reason, _ in terms],
                [delay_seconds for _, _, delay_seconds in terms],
            )
        except UndeliverError:
            self._is_in_doubt = True
            raise
        finally:
            # Settled or not, they are not ours any more: no heartbeat may keep them from others.
            for receipt in receipts:
                if self._held.get(receipt.delivery_id) == receipt.claim:
                    del self._held[receipt.delivery_id]
            self._has_moved.set()

    async def claiming(self) -> None:
        """Claim while there is room, sleep while the queue is empty."""
        while True:
            room = self._prefetch - len(self._held)
            # A few at a time would cost a transaction each, so wait for some room, if work is left.
            if room <= 0 or (self._arrived and room < self._prefetch / 2):
                self._has_moved.clear()
                await self._has_moved.wait()
                continue
            self._bell.clear()
            try:
                if self._is_in_doubt:
                    await self._clear_up()
                claimed = await self._claim(room)
                idle_seconds = 0.0 if claimed else await self._seconds_until_due()
            except UndeliverError as error:
                self._is_in_doubt = True
                self._failure = error
                self._has_news.set()
                idle_seconds = POLL_SECONDS
            if idle_seconds > 0:
                await self._sleep(idle_seconds)

    async def beating(self) -> None:
        """Lengthen the leases of what is held; forget what was lost all the same."""
        while True:
            await self._clock.sleep(self._lease_seconds / _BEATS_PER_LEASE)
            held = dict(self._held)
            if not held:
                continue
            try:
                rows = await self._session.fetch(
                    "extend", self._queue, list(held), list(held.values()), self._lease_seconds
                )
            except UndeliverError:
                continue  # the claiming loop reports what is wrong; the next beat may be in time
            self._forget(held.keys() - {row["delivery_id"] for row in rows}, held)

    async def release(self) -> None:
        """Hand back all that is unsettled: the last that happens here."""
        try:
            await self._session.fetch(
                "release", self._queue, self._id, [], timeout_seconds=_RELEASE_TIMEOUT_SECONDS
            )
        except UndeliverError as error:
            _log.warning("release_failed", queue=self._queue, reason=error.reason)

    async def _clear_up(self) -> None:
        """Hand back what we hold without knowing, or no longer; its lease would keep it away."""
        self._is_in_doubt = False
        await self._session.fetch("release", self._queue, self._id, list(self._held.values()))

    async def _claim(self, most: int) -> bool:
        rows = await self._session.fetch("claim", self._queue, self._id, most, self._lease_seconds)
        self._failure = None
        for row in rows:
            self._held[row["delivery_id"]] = row["claim"]
            self._arrived.append((row["delivery_id"], delivery_of(row, self._queue)))
        if rows:
            self._has_news.set()
        return bool(rows)

    async def _seconds_until_due(self) -> float:
        seconds = await self._session.fetch_value("due_in_seconds", self._queue)
        if not isinstance(seconds, float):
            return POLL_SECONDS
        # A little above zero: what another consumer is just claiming is due, and not to be had.
        return min(max(seconds, 0.01), POLL_SECONDS)

    async def _sleep(self, seconds: float) -> None:
        """Sleep until the bell rings, or the time is over."""
        async with asyncio.TaskGroup() as tasks:
            alarm = tasks.create_task(self._ring_after(seconds))
            await self._bell.wait()
            alarm.cancel()

    async def _ring_after(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._bell.set()

    def _forget(self, lost: set[int], held: dict[int, int]) -> None:
        for delivery_id in lost:
            # Settled meanwhile, or even claimed anew: then it is not the hold that was lost.
            if self._held.get(delivery_id) == held[delivery_id]:
                del self._held[delivery_id]
        self._arrived = deque(entry for entry in self._arrived if entry[0] in self._held)
        self._has_moved.set()


def _receipt_of(delivery: Delivery) -> Receipt:
    if not isinstance(delivery.receipt, Receipt):
        raise PermanentError("refused", "not a delivery of this broker")
    return delivery.receipt


def _terms_of(settlement: Settlement) -> tuple[str, str | None, float]:
    """Return verdict, reason and delay as the SQL function knows them."""
    match settlement:
        case Ack():
            return "ack", None, 0.0
        case Retry(reason, delay_seconds):
            return "retry", reason, delay_seconds
        case DeadLetter(reason):
            return "dead_letter", reason, 0.0
        case HandBack():
            return "hand_back", None, 0.0
