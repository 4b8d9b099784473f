"""Publishing with confirms, many at a time over one channel."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aio_pika
from aiormq.abc import AbstractChannel
from aiormq.exceptions import ChannelClosed, ConnectionChannelError

from libs.common.broker.rabbitmq import metrics
from libs.common.broker.rabbitmq.errors import publish_errors
from libs.common.broker.rabbitmq.link import Link, close_channel
from libs.common.clock import Clock
from libs.common.errors import TransientError, UndeliverError

#: Messages that may wait for their confirm at a time.
OUTSTANDING = 256
#: The connection may still go down over what the others have sent.
_TRIES_ALONE = 3


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message with its address."""

    exchange: str
    routing_key: str
    message: aio_pika.Message


class Outbox:
    """Hands messages to the broker, and waits until each is durable in its queues."""

    def __init__(self, link: Link, *, clock: Clock, timeout_seconds: float) -> None:
        self._link = link
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._channel: AbstractChannel | None = None
        self._opening = asyncio.Lock()
        self._places = asyncio.Semaphore(OUTSTANDING)
        self._alone = asyncio.Lock()
        #: By message id: set when its publish has ended.
        self._under_way: dict[str, asyncio.Event] = {}

    async def publish(self, parcels: Sequence[Parcel]) -> None:
        """Publish all. Errors as `Publisher.publish`; one that cannot be mended comes first."""
        errors = [error for error in await self.publish_each(parcels) if error is not None]
        for error in sorted(errors, key=lambda each: isinstance(each, TransientError)):
            raise error

    async def publish_each(self, parcels: Sequence[Parcel]) -> list[UndeliverError | None]:
        """Publish all; returns for each what went wrong, in order."""
        outcomes: list[UndeliverError | None] = []
        for start in range(0, len(parcels), OUTSTANDING):
            portion = parcels[start : start + OUTSTANDING]
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(self._outcome(parcel)) for parcel in portion]
            outcomes += [task.result() for task in running]
            if any(outcomes):
                unsent = TransientError("broker_unreachable", "not tried after a failure")
                return outcomes + [unsent] * (len(parcels) - len(outcomes))
        return outcomes

    async def _outcome(self, parcel: Parcel) -> UndeliverError | None:
        try:
            await self._in_time(parcel)
        except UndeliverError as error:
            metrics.PUBLISH_FAILURES.labels(reason=error.reason).inc()
            return error
        return None

    async def _in_time(self, parcel: Parcel) -> None:
        """Publish one; a memory alarm, or a quorum that is lost, gives no answer at all."""
        limit = asyncio.timeout(self._timeout_seconds)
        try:
            async with limit, self._places, self._only(parcel.message.message_id):
                started = self._clock.monotonic()
                await self._send(parcel)
                metrics.CONFIRM_SECONDS.observe(self._clock.monotonic() - started)
        except TimeoutError:
            raise TransientError("publish_timeout") from None

    async def _send(self, parcel: Parcel) -> None:
        channel = await self._open_channel()
        try:
            with publish_errors():
                await _put(channel, parcel)
        except UndeliverError:
            if not _closed_over_a_message(channel):
                raise
            await self._send_alone(parcel)

    async def _send_alone(self, parcel: Parcel) -> None:
        """Publish one that failed with all that was under way.

        The broker closes a channel over one message. Whose fault it was shows who fails alone.
        """
        async with self._alone:
            for _ in range(_TRIES_ALONE):
                await self._link.until_up()
                try:
                    await self._send_on_own_channel(parcel)
                except TransientError as error:
                    if error.reason != "broker_unreachable":
                        raise
                else:
                    return
            raise TransientError("broker_unreachable", "lost again and again")

    async def _send_on_own_channel(self, parcel: Parcel) -> None:
        channel = await self._link.open_channel(confirms=True)
        try:
            with publish_errors():
                await _put(channel, parcel)
        finally:
            await close_channel(channel)

    async def _open_channel(self) -> AbstractChannel:
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                self._channel = await self._link.open_channel(confirms=True)
            return self._channel

    @asynccontextmanager
    async def _only(self, message_id: str | None) -> AsyncIterator[None]:
        """Let one message of an id be under way at a time.

        The client tells by its id which message is returned as unroutable. Of two, the other one
        would be taken for it, and the returned one for confirmed.
        """
        key = message_id or ""
        while key in self._under_way:
            await self._under_way[key].wait()
        ended = self._under_way[key] = asyncio.Event()
        try:
            yield
        finally:
            del self._under_way[key]
            ended.set()


async def _put(channel: AbstractChannel, parcel: Parcel) -> None:
    # What is written to a blocked connection is given up and written anew until the alarm is over:
    # then it would all arrive. As a task of the channel, this wait ends with the channel.
    await channel.create_task(channel.connection.ready())
    await channel.basic_publish(
        parcel.message.body,
        exchange=parcel.exchange,
        routing_key=parcel.routing_key,
        properties=parcel.message.properties,
        mandatory=True,
    )


def _closed_over_a_message(channel: AbstractChannel) -> bool:
    """Return whether the broker closed the channel, or the connection in consequence.

    The client may send a little more after the close, which RabbitMQ takes for a broken connection.
    """
    if not channel.is_closed or channel.closing.cancelled():
        return False
    return isinstance(channel.closing.exception(), ChannelClosed | ConnectionChannelError)
