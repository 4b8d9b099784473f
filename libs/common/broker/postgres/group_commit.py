"""Many callers, one commit: publishes that come together share a transaction and its flush."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from copy import copy
from dataclasses import dataclass

from libs.common.broker.port import Message
from libs.common.errors import TransientError, UndeliverError

#: A transaction takes calls until it holds this much; one call alone may be larger.
_MESSAGES_PER_COMMIT = 1000
_BYTES_PER_COMMIT = 16 * 1024 * 1024

#: Stores messages durably; returns the types among them that miss a queue and were left out.
Write = Callable[[Sequence[Message]], Awaitable[Collection[str]]]


@dataclass(frozen=True, slots=True)
class _Call:
    messages: Sequence[Message]
    size_bytes: int
    done: asyncio.Future[None]


class GroupCommit:
    """Collects what callers publish while a commit is under way, and commits it next."""

    def __init__(self, write: Write, *, timeout_seconds: float) -> None:
        self._write = write
        self._timeout_seconds = timeout_seconds
        self._waiting: deque[_Call] = deque()
        self._filled = asyncio.Event()
        self._is_closed = False

    async def publish(self, messages: Sequence[Message]) -> None:
        """Return when all are durable. Errors as `Publisher.publish`."""
        if self._is_closed:
            raise TransientError("broker_unreachable", "closed")
        size_bytes = sum(len(message.body) for message in messages)
        call = _Call(messages, size_bytes, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        self._filled.set()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await call.done
        except TimeoutError:
            raise TransientError("publish_timeout") from None

    async def committing(self) -> None:
        """Commit call after call, until cancelled; those that still wait then are told so."""
        calls: list[_Call] = []
        try:
            while True:
                await self._filled.wait()
                calls = self._next()
                if calls:
                    await self._commit(calls)
        finally:
            self._is_closed = True
            for call in (*calls, *self._waiting):
                _fail(call, TransientError("broker_unreachable", "closed"))

    def _next(self) -> list[_Call]:
        calls: list[_Call] = []
        messages = size_bytes = 0
        while self._waiting:
            call = self._waiting[0]
            messages += len(call.messages)
            size_bytes += call.size_bytes
            if calls and (messages > _MESSAGES_PER_COMMIT or size_bytes > _BYTES_PER_COMMIT):
                return calls
            self._waiting.popleft()
            if not call.done.done():  # else its caller has given up
                calls.append(call)
        self._filled.clear()
        return calls

    async def _commit(self, calls: Sequence[_Call]) -> None:
        try:
            homeless = await self._write([message for call in calls for message in call.messages])
        except UndeliverError as error:
            for call in calls:
                _fail(call, copy(error))  # raised in several tasks: one traceback each
            return
        for call in calls:
            missed = {message.type for message in call.messages}.intersection(homeless)
            if missed:
                _fail(call, TransientError("no_queue", ", ".join(sorted(missed))))
            elif not call.done.done():
                call.done.set_result(None)


def _fail(call: _Call, error: Exception) -> None:
    if not call.done.done():
        call.done.set_exception(error)
