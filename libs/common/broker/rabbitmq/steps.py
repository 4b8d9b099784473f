"""Steps over a channel that the broker closes over each one that it refuses."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiormq
from aiormq.abc import AbstractChannel, AbstractConnection

from libs.common.broker.rabbitmq.errors import broker_errors
from libs.common.broker.rabbitmq.link import CALL_TIMEOUT_SECONDS, close_channel
from libs.common.errors import TransientError

Step = Callable[[AbstractChannel], Awaitable[object]]


class Steps:
    """Takes one step after the other."""

    def __init__(self, open_channel: Callable[[], Awaitable[AbstractChannel]]) -> None:
        self._open_channel = open_channel
        self._channel: AbstractChannel | None = None

    async def take(self, step: Step) -> None:
        """Take a step; a refused one does not keep from the next. Errors as `broker_errors`."""
        if self._channel is None or self._channel.is_closed:
            self._channel = await self._open_channel()
        with broker_errors():
            async with asyncio.timeout(CALL_TIMEOUT_SECONDS):
                await step(self._channel)

    async def has_queue(self, name: str) -> bool:
        """Return whether a queue is there; everybody may ask."""
        return await self._has(lambda channel: channel.queue_declare(name, passive=True))

    async def has_exchange(self, name: str) -> bool:
        """Return whether an exchange is there; everybody may ask."""
        return await self._has(lambda channel: channel.exchange_declare(name, passive=True))

    async def aclose(self) -> None:
        """Close the channel."""
        if self._channel is not None:
            await close_channel(self._channel)

    async def _has(self, question: Step) -> bool:
        try:
            await self.take(question)
        except TransientError as error:
            if error.reason != "no_queue":
                raise
            return False
        return True


@asynccontextmanager
async def connected(amqp_url: str) -> AsyncIterator[tuple[AbstractConnection, Steps]]:
    """Connect for a few steps, without coming back.

    Raises:
        TransientError: `broker_unreachable`.
    """
    with broker_errors():
        async with asyncio.timeout(CALL_TIMEOUT_SECONDS):
            connection = await aiormq.connect(amqp_url)

    async def open_channel() -> AbstractChannel:
        with broker_errors():
            return await connection.channel(publisher_confirms=False)

    try:
        yield connection, Steps(open_channel)
    finally:
        with broker_errors():
            async with asyncio.timeout(CALL_TIMEOUT_SECONDS):
                await connection.close()
