"""Writes down every message on the exchange, in batches."""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Sequence

import structlog

from libs.common.broker.announcing import announce
from libs.common.broker.port import (
    Ack,
    Broker,
    Delivery,
    Subscription,
)
from libs.common.broker.publishing import Cause, CausedPublish
from libs.common.broker.topology import AUDIT_EVENTS
from libs.common.broker.verdicts import Verdict
from libs.common.clock import Clock
from libs.common.errors import TransientError
from services.audit import metrics
from services.audit.domain.chain import Recording
from services.audit.domain.record import SALT_SIZE_BYTES, Entry
from services.audit.domain.testimony import Rules, take_down
from services.audit.ports import AuditLog
from services.audit.workers.reporting import Judged, give_up, report_recorded, report_settled

PREFETCH = 500
BATCH = 200
#: How long an incomplete batch waits for more: a commit costs the same for one record as for many.
LINGER_SECONDS = 0.05
#: A batch of the largest bodies must still fit into memory and into one transaction.
BATCH_BYTES = 16 * 1024 * 1024
#: How often reading yields to other tasks of the process.
_TURN_BYTES = 256 * 1024

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 5.0

_SERVICE = "audit"

_log = structlog.get_logger()


class Recorder:
    """Receives ahead while a batch is written; settles only what is durable.

    A crash between the two repeats the batch, and the log does not record it twice.
    """

    def __init__(
        self, broker: Broker, log: AuditLog, rules: Callable[[], Rules], clock: Clock
    ) -> None:
        self._broker = broker
        self._log = log
        self._rules = rules
        self._clock = clock
        self._waiting: deque[Delivery] = deque()
        self._arrived = asyncio.Event()
        self._has_room = asyncio.Event()

    async def run(self) -> None:
        """Record until cancelled; what is unsettled then goes back to the queue."""
        while True:
            try:
                async with self._broker.subscribe(AUDIT_EVENTS, prefetch=PREFETCH) as subscription:
                    await self._attend(subscription)
            except TransientError as error:
                _log.warning("subscribing_failed", reason=error.reason)
                await self._clock.sleep(_FIRST_PAUSE_SECONDS)

    async def _attend(self, subscription: Subscription) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._receive(subscription), name="audit receives")
            group.create_task(self._write(subscription), name="audit writes")

    async def _receive(self, subscription: Subscription) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                # A hold that was lost in a long outage comes again: memory must not grow with it.
                if len(self._waiting) >= PREFETCH:
                    self._has_room.clear()
                    await self._has_room.wait()
                self._waiting.extend(await subscription.receive(BATCH))
                self._arrived.set()
                pause = _FIRST_PAUSE_SECONDS
            except TransientError as error:
                _log.warning("receiving_failed", reason=error.reason, pause_seconds=pause)
                await self._clock.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _write(self, subscription: Subscription) -> None:
        while True:
            verdicts = await self._record(await self._gather())
            for delivery, verdict in verdicts:
                await announce(self._publish_for(delivery), delivery, verdict, self._clock)
            try:
                await subscription.settle(
                    [(each, verdict.settlement) for each, verdict in verdicts]
                )
            except TransientError as error:
                # They come again and are recognised.
                _log.warning("settling_failed", reason=error.reason, deliveries=len(verdicts))
            else:
                report_settled(verdicts)

    def _publish_for(self, delivery: Delivery) -> CausedPublish:
        return CausedPublish(self._broker, Cause.of(delivery), clock=self._clock, app_id=_SERVICE)

    async def _gather(self) -> list[Delivery]:
        await self._arrived.wait()
        if len(self._waiting) < BATCH:
            await self._clock.sleep(LINGER_SECONDS)
        batch: list[Delivery] = []
        size_bytes = 0
        while self._waiting and len(batch) < BATCH and size_bytes < BATCH_BYTES:
            batch.append(self._waiting.popleft())
            size_bytes += len(batch[-1].message.body)
        self._has_room.set()
        if not self._waiting:
            self._arrived.clear()
        return batch

    async def _record(self, deliveries: Sequence[Delivery]) -> list[Judged]:
        """Record a batch; where one of it cannot be, halve until only that one is left out."""
        try:
            with metrics.batch_duration_seconds.time():
                entries = await self._take_down(deliveries)
                recordings = await self._append(entries)
        except Exception as error:  # noqa: BLE001 (the consumer loop: STYLE has one place for it)
            if len(deliveries) == 1:
                return [(deliveries[0], give_up(deliveries[0], error))]
            middle = len(deliveries) // 2
            return [
                *await self._record(deliveries[:middle]),
                *await self._record(deliveries[middle:]),
            ]
        report_recorded(entries, recordings, self._clock.now())
        return [(delivery, Verdict(Ack())) for delivery in deliveries]

    async def _take_down(self, deliveries: Sequence[Delivery]) -> list[Entry]:
        entries = []
        since_turn_bytes = 0
        for delivery in deliveries:
            salt = secrets.token_bytes(SALT_SIZE_BYTES)
            now = self._clock.now()
            entries.append(take_down(delivery, self._rules(), recorded_at=now, salt=salt))
            since_turn_bytes += len(delivery.message.body)
            if since_turn_bytes > _TURN_BYTES:
                since_turn_bytes = 0
                await self._clock.sleep(0)
        return entries

    async def _append(self, entries: Sequence[Entry]) -> Sequence[Recording]:
        """Record, waiting for the database as long as it takes: nothing is settled meanwhile."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self._log.record(entries)
            except TransientError as error:
                _log.warning("recording_failed", reason=error.reason, pause_seconds=pause)
                await self._clock.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
