"""Writes down every message on the exchange, in batches."""

import asyncio
import secrets
from collections import deque
from collections.abc import Sequence

import structlog

from libs.common.broker.port import (
    Ack,
    Broker,
    Delivery,
    Subscription,
)
from libs.common.broker.topology import AUDIT_EVENTS, UNDELIVER
from libs.common.broker.verdicts import Verdict, after
from libs.common.clock import Clock
from libs.common.errors import PoisonError, TransientError
from libs.common.metrics import DEAD_LETTERS, DELIVERIES
from services.audit import metrics
from services.audit.domain.chain import Recording
from services.audit.domain.record import SALT_SIZE_BYTES, Entry, Flag
from services.audit.domain.testimony import Rules, take_down
from services.audit.ports import AuditLog

PREFETCH = 500
BATCH = 200
#: How long an incomplete batch waits for more: a commit costs the same for one record as for many.
LINGER_SECONDS = 0.05
#: A batch of the largest bodies must still fit into memory and into one transaction.
BATCH_BYTES = 16 * 1024 * 1024
#: How often reading yields to other tasks of the process.
_TURN_BYTES = 256 * 1024

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0

_log = structlog.get_logger()

_Judged = list[tuple[Delivery, Verdict]]


class Recorder:
    """Receives ahead while a batch is written; settles only what is durable.

    A crash between the two repeats the batch, and the log does not record it twice.
    """

    def __init__(self, broker: Broker, log: AuditLog, rules: Rules, clock: Clock) -> None:
        self._broker = broker
        self._log = log
        self._rules = rules
        self._clock = clock
        self._waiting: deque[Delivery] = deque()
        self._arrived = asyncio.Event()
        self._has_room = asyncio.Event()

    async def run(self) -> None:
        """Record until cancelled; what is unsettled then goes back to the queue."""
        async with (
            self._broker.subscribe(AUDIT_EVENTS, prefetch=PREFETCH) as subscription,
            asyncio.TaskGroup() as group,
        ):
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
            deliveries = await self._gather()
            verdicts = await self._record(deliveries)
            try:
                await subscription.settle(
                    [(each, verdict.settlement) for each, verdict in verdicts]
                )
            except TransientError as error:
                # They come again and are recognised.
                _log.warning("settling_failed", reason=error.reason, deliveries=len(verdicts))
                continue
            for _, verdict in verdicts:
                DELIVERIES.labels(AUDIT_EVENTS, verdict.settled).inc()
                if verdict.cause:
                    DEAD_LETTERS.labels(AUDIT_EVENTS, verdict.cause).inc()

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

    async def _record(self, deliveries: Sequence[Delivery]) -> _Judged:
        """Record a batch; where one of it cannot be, halve until only that one is left out."""
        try:
            with metrics.batch_duration_seconds.time():
                entries = await self._take_down(deliveries)
                recordings = await self._append(entries)
        except Exception as error:  # noqa: BLE001 (the consumer loop: STYLE has one place for it)
            if len(deliveries) == 1:
                return [(deliveries[0], _give_up(deliveries[0], error))]
            middle = len(deliveries) // 2
            return [
                *await self._record(deliveries[:middle]),
                *await self._record(deliveries[middle:]),
            ]
        self._count(entries, recordings)
        return [(delivery, Verdict(Ack())) for delivery in deliveries]

    async def _take_down(self, deliveries: Sequence[Delivery]) -> list[Entry]:
        entries = []
        since_turn_bytes = 0
        for delivery in deliveries:
            salt = secrets.token_bytes(SALT_SIZE_BYTES)
            now = self._clock.now()
            entries.append(take_down(delivery, self._rules, recorded_at=now, salt=salt))
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

    def _count(self, entries: Sequence[Entry], recordings: Sequence[Recording]) -> None:
        metrics.batch_records.observe(len(entries))
        now = self._clock.now()
        for entry, recording in zip(entries, recordings, strict=True):
            if recording is Recording.DUPLICATE:
                metrics.duplicates_total.inc()
                continue
            _note(entry, recording)
            properties = entry.properties
            metrics.lag_seconds.observe(max(0.0, (now - properties.made_at).total_seconds()))
            metrics.head_timestamp_seconds.labels(entry.chain).set(
                properties.recorded_at.timestamp()
            )
        _log.info(
            "messages_recorded",
            messages=len(entries),
            duplicates=sum(each is Recording.DUPLICATE for each in recordings),
            conflicting=sum(each is Recording.CONFLICTING for each in recordings),
        )


def _note(entry: Entry, recording: Recording) -> None:
    flags = set(entry.properties.flags)
    if recording is Recording.CONFLICTING:
        flags.add(Flag.CONFLICTING)
    for flag in flags or (metrics.NO_FLAG,):
        metrics.records_total.labels(flag).inc()
    if flags:
        _log.warning(
            "remarkable_message_recorded",
            message_id=entry.properties.message_id,
            type=entry.properties.type,
            publisher=entry.properties.publisher,
            flags=sorted(flags),
        )


def _give_up(delivery: Delivery, error: Exception) -> Verdict:
    """Return how one message leaves that cannot be recorded: it is kept, never dropped."""
    verdict = after(error, delivery, UNDELIVER)
    metrics.refused_total.inc()
    _log.error(
        "message_not_recorded",
        message_id=delivery.message.message_id,
        type=delivery.message.type,
        publisher=delivery.publisher,
        settlement=verdict.settled,
        exc_info=None if isinstance(error, PoisonError) else error,
    )
    return verdict
