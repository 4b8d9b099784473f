"""The consuming of one queue over one channel: as long as the channel lives, and no longer."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from aiormq.abc import AbstractChannel, DeliveredMessage

from libs.common.broker.rabbitmq.errors import broker_errors
from libs.common.broker.rabbitmq.link import (
    CALL_TIMEOUT_SECONDS,
    CLOSE_TIMEOUT_SECONDS,
    Link,
    close_channel,
)
from libs.common.broker.rabbitmq.messages import Arrival


@dataclass(frozen=True, slots=True, eq=False)
class Receipt:
    """Where a delivery can be settled: only on the channel that it came by."""

    consumption: "Consumption"
    tag: int
    arrival: Arrival


#: What happens to a delivery.
Arrive = Callable[["Consumption", DeliveredMessage], None]


class Consumption:
    """A channel with one consumer, and what it holds unsettled."""

    def __init__(self, channel: AbstractChannel) -> None:
        self._channel = channel
        self._consumer_tag = ""
        self._held: dict[int, Receipt] = {}
        #: Set when the channel is closed, or the broker has cancelled the consumer.
        self.lost = asyncio.Event()

    @classmethod
    async def begin(cls, link: Link, queue: str, prefetch: int, arrive: Arrive) -> "Consumption":
        """Ask for deliveries; the first may arrive before this returns.

        Raises:
            TransientError: `broker_unreachable`, `no_queue`.
            PermanentError: `refused`.
        """
        channel = await link.open_channel()
        self = cls(channel)
        channel.closing.add_done_callback(lambda _: self.lost.set())
        channel.on_consumer_cancel_callbacks.add(lambda _: self.lost.set())
        try:
            with broker_errors():
                async with asyncio.timeout(CALL_TIMEOUT_SECONDS):
                    await channel.basic_qos(prefetch_count=prefetch)
                    answer = await channel.basic_consume(queue, self._pass_on(arrive))
        except BaseException:
            await close_channel(channel)
            raise
        self._consumer_tag = answer.consumer_tag or ""
        return self

    def hold(self, receipt: Receipt) -> None:
        """Remember what has arrived."""
        self._held[receipt.tag] = receipt

    def take(self, receipt: Receipt) -> bool:
        """Let somebody settle a delivery; False where it is not ours, or somebody has."""
        return not self.lost.is_set() and self._held.pop(receipt.tag, None) is not None

    async def stop(self) -> list[Receipt]:
        """Ask for no more, and return what is held. Errors as `ack`."""
        with broker_errors():
            async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
                await self._channel.basic_cancel(self._consumer_tag)
        return list(self._held.values())

    async def ack(self, receipt: Receipt) -> None:
        """Settle one for good; the broker gives no answer.

        Raises:
            TransientError: `broker_unreachable`.
        """
        with broker_errors():
            await self._channel.basic_ack(receipt.tag, wait=False)

    async def hand_back(self, receipt: Receipt) -> None:
        """Make one available again at once. Errors as `ack`."""
        with broker_errors():
            await self._channel.basic_nack(receipt.tag, requeue=True, wait=False)

    async def hand_back_all(self) -> None:
        """Hand back whatever is unsettled on this channel. Errors as `ack`."""
        self._held.clear()
        with broker_errors():
            await self._channel.basic_nack(0, multiple=True, requeue=True)

    def _pass_on(self, arrive: Arrive) -> Callable[[DeliveredMessage], Coroutine[None, None, None]]:
        async def pass_on(arrived: DeliveredMessage) -> None:
            arrive(self, arrived)

        return pass_on

    async def close(self) -> None:
        """Close the channel; the broker takes back what is unsettled."""
        self.lost.set()
        await close_channel(self._channel)
