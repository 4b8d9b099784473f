"""A consumer's place at one queue. See `Subscription`."""

import asyncio
from collections import deque
from collections.abc import Sequence

import structlog
from aiormq.abc import DeliveredMessage

from libs.common.broker.port import Delivery, Settlement
from libs.common.broker.rabbitmq.consumption import Consumption, Receipt
from libs.common.broker.rabbitmq.link import Link
from libs.common.broker.rabbitmq.messages import Arrival
from libs.common.broker.rabbitmq.settling import Settling
from libs.common.broker.topology import Queue
from libs.common.clock import Clock
from libs.common.errors import TransientError, UndeliverError

_PAUSE_SECONDS = 0.2

_log = structlog.get_logger()


class RabbitSubscription:
    """See `Subscription`. Has a channel of its own, which it opens anew when it is lost."""

    def __init__(
        self, link: Link, settling: Settling, queue: Queue, *, prefetch: int, clock: Clock
    ) -> None:
        self._link = link
        self._settling = settling
        self._queue = queue
        self._prefetch = prefetch
        self._clock = clock
        self._consumption: Consumption | None = None
        self._arrived: deque[Delivery] = deque()
        self._failure: UndeliverError | None = None
        self._is_failing = False
        self._has_news = asyncio.Event()
        self._has_tried = asyncio.Event()

    async def receive(self, limit: int) -> Sequence[Delivery]:
        """See `Subscription.receive`."""
        while not self._arrived:
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure
            self._has_news.clear()
            await self._has_news.wait()
        return [self._arrived.popleft() for _ in range(min(limit, len(self._arrived)))]

    async def settle(self, settlements: Sequence[tuple[Delivery, Settlement]]) -> None:
        """See `Subscription.settle`."""
        await self._settling.settle(settlements)

    async def began(self) -> None:
        """Return when the broker was asked for deliveries, whatever it said."""
        await self._has_tried.wait()

    async def consuming(self) -> None:
        """Consume until cancelled, over a new channel after every loss."""
        while True:
            try:
                self._consumption = await Consumption.begin(
                    self._link, self._queue.name, self._prefetch, self._arrive
                )
            except UndeliverError as error:
                self._fail(error)
            else:
                self._is_failing, self._failure = False, None
                self._has_tried.set()
                await self._consumption.lost.wait()
                # What nobody has taken yet comes again; an old tag would close the new channel.
                self._arrived.clear()
                self._fail(TransientError("broker_unreachable", "the channel was lost"))
                await self._consumption.close()
            self._has_tried.set()
            await self._clock.sleep(_PAUSE_SECONDS)

    async def release(self) -> None:
        """Hand back all that is unsettled: the last that happens here."""
        self._arrived.clear()
        if self._consumption is None or self._consumption.lost.is_set():
            return
        try:
            await self._settling.release(self._consumption)
        except UndeliverError as error:
            _log.warning("release_failed", queue=self._queue.name, reason=error.reason)
        await self._consumption.close()

    def _arrive(self, consumption: Consumption, arrived: DeliveredMessage) -> None:
        arrival = Arrival(arrived, self._queue)
        receipt = Receipt(consumption, arrived.delivery_tag or 0, arrival)
        consumption.hold(receipt)
        self._arrived.append(arrival.delivery(receipt))
        self._has_news.set()

    def _fail(self, error: UndeliverError) -> None:
        """Say so once per outage; a refusal, each time."""
        if self._is_failing and isinstance(error, TransientError):
            return
        self._is_failing = True
        self._failure = error
        self._has_news.set()
