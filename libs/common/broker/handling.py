"""From one delivery to its verdict: authorise, decode, deduplicate, handle."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import structlog

from libs.common.authority import Authority
from libs.common.broker.decoding import decode
from libs.common.broker.inbox import Inbox
from libs.common.broker.port import Ack, DeadLetter, Delivery, Publisher, Retry
from libs.common.broker.publishing import Cause, CausedPublish, Publish
from libs.common.broker.topology import Topology
from libs.common.broker.verdicts import Verdict, after
from libs.common.clock import Clock
from libs.common.errors import TransientError, UndeliverError
from libs.common.tenants.current import CurrentConfiguration

#: Takes a message of its type and publishes what follows. `Any`: each handler takes its own
#: contract, and the decoder sees to it that it gets no other.
Handler = Callable[[Any, Publish], Awaitable[None]]

#: A handler that takes longer hangs; a broker would take its consumer for dead (RabbitMQ: 30 min).
HANDLER_TIMEOUT_SECONDS = 600.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Handling:
    """How the deliveries of one queue are handled."""

    publisher: Publisher
    handlers: Mapping[str, Handler]
    inbox: Inbox
    configuration: CurrentConfiguration
    authority: Callable[[], Authority]
    topology: Topology
    clock: Clock
    service: str

    def publish_for(self, delivery: Delivery) -> CausedPublish:
        """Return what publishes on behalf of a delivery."""
        cause = Cause.of(delivery)
        return CausedPublish(self.publisher, cause, clock=self.clock, app_id=self.service)

    async def verdict_on(self, delivery: Delivery) -> Verdict:
        """Handle a delivery. Never fails, whatever the handler does; cancellation passes.

        By one configuration throughout, whatever comes into force meanwhile.
        """
        try:
            with self.configuration.pinned():
                verdict = await self._handle(delivery)
        except Exception as error:  # noqa: BLE001  # the consumer loop: one message never ends it
            verdict = after(error, delivery, self.topology)
            _report(delivery, verdict, None if isinstance(error, UndeliverError) else error)
        else:
            _report(delivery, verdict)
        return verdict

    async def _handle(self, delivery: Delivery) -> Verdict:
        message = delivery.message
        refusal = self.authority().refusal(delivery.publisher, message.type, message.tenant)
        if refusal is not None:
            return Verdict(DeadLetter("not_authorised"), "not_authorised", refusal)
        contract = decode(message, self.handlers.keys())
        body_sha256 = sha256(message.body).digest()
        if not await self.inbox.admit(delivery.publisher, message.message_id, body_sha256):
            return Verdict(DeadLetter("conflicting"), "conflicting")
        await _in_time(self.handlers[message.type](contract, self.publish_for(delivery)))
        return Verdict(Ack())


def _report(delivery: Delivery, verdict: Verdict, bug: Exception | None = None) -> None:
    """Write the line of a delivery that was not handled; a handler writes its own when it was."""
    if not isinstance(verdict.settlement, Retry | DeadLetter):
        return
    is_dead = isinstance(verdict.settlement, DeadLetter)
    write = _log.error if is_dead or bug else _log.warning
    write(
        "delivery_dead_lettered" if is_dead else "delivery_failed",
        queue=delivery.queue,
        type=delivery.message.type,
        publisher=delivery.publisher,
        reason=verdict.settlement.reason,
        detail=verdict.detail,
        exc_info=bug,
    )


async def _in_time(handling: Awaitable[None]) -> None:
    """Wait for a handler, but not for ever.

    Raises:
        TransientError: `handler_timeout`, or `handler_cancelled` where something within the handler
            was cancelled: passed on, that would look like our own end, and leave it unsettled.
    """
    limit = asyncio.timeout(HANDLER_TIMEOUT_SECONDS)
    try:
        async with limit:
            await handling
    except TimeoutError as error:
        if limit.expired():
            raise TransientError("handler_timeout") from error
        raise
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise TransientError("handler_cancelled") from error
