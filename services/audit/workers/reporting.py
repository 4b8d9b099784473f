"""What the recorder says and counts about its work."""

from collections.abc import Sequence
from datetime import datetime

import structlog

from libs.common.broker.port import Delivery
from libs.common.broker.topology import AUDIT_EVENTS, UNDELIVER
from libs.common.broker.verdicts import Verdict, after
from libs.common.errors import PoisonError
from libs.common.metrics import DEAD_LETTERS, DELIVERIES
from services.audit import metrics
from services.audit.domain.chain import Recording
from services.audit.domain.record import Entry, Flag

Judged = tuple[Delivery, Verdict]

_log = structlog.get_logger()


def report_recorded(
    entries: Sequence[Entry], recordings: Sequence[Recording], now: datetime
) -> None:
    """Count a batch that is in the log."""
    metrics.batch_records.observe(len(entries))
    for entry, recording in zip(entries, recordings, strict=True):
        if recording is Recording.DUPLICATE:
            metrics.duplicates_total.inc()
        else:
            _note(entry, recording, now)
    _log.info(
        "messages_recorded",
        messages=len(entries),
        duplicates=sum(each is Recording.DUPLICATE for each in recordings),
        conflicting=sum(each is Recording.CONFLICTING for each in recordings),
    )


def report_settled(verdicts: Sequence[Judged]) -> None:
    """Count how deliveries were settled."""
    for _, verdict in verdicts:
        DELIVERIES.labels(AUDIT_EVENTS, verdict.settled).inc()
        if verdict.cause:
            DEAD_LETTERS.labels(AUDIT_EVENTS, verdict.cause).inc()


def give_up(delivery: Delivery, error: Exception) -> Verdict:
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


def _note(entry: Entry, recording: Recording, now: datetime) -> None:
    properties = entry.properties
    flags = set(properties.flags)
    if recording is Recording.CONFLICTING:
        flags.add(Flag.CONFLICTING)
    for flag in flags or (metrics.NO_FLAG,):
        metrics.records_total.labels(flag).inc()
    metrics.lag_seconds.observe(max(0.0, (now - properties.made_at).total_seconds()))
    metrics.head_timestamp_seconds.labels(entry.chain).set(properties.recorded_at.timestamp())
    if flags:
        _log.warning(
            "remarkable_message_recorded",
            message_id=properties.message_id,
            type=properties.type,
            publisher=properties.publisher,
            flags=sorted(flags),
        )
