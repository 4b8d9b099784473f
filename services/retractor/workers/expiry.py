"""Ends retractions of messages that nobody has told us of in time."""

from dataclasses import replace

import structlog

from libs.common.errors import TransientError
from services.retractor import metrics
from services.retractor.domain import announcements
from services.retractor.domain.retraction import Status
from services.retractor.workers.bench import Bench

_log = structlog.get_logger()

_AT_ONCE = 100


async def expire(bench: Bench) -> None:
    """Look for overdue retractions until cancelled."""
    while True:
        try:
            while await expire_some(bench):
                pass
        except TransientError as error:
            _log.warning("retractions_not_expired", reason=error.reason)
        await bench.clock.sleep(bench.pace.expiry_poll_seconds)


async def expire_some(bench: Bench) -> int:
    """End overdue retractions, in one transaction with their announcement; return how many."""
    now = bench.clock.now()
    async with bench.ledger.transaction() as ledger:
        overdue = await ledger.retractions.overdue(now, _AT_ONCE)
        for retraction in overdue:
            ended = replace(
                retraction, status=Status.UNKNOWN_MESSAGE, waiting_until=None, standing_until=None
            )
            await ledger.retractions.put(ended)
            said = announcements.finished(ended, {}, now)
            await ledger.answers.announce(bench.announcements(ended, [said], "finished/1"))
    for retraction in overdue:
        metrics.RETRACTIONS.labels(outcome=Status.UNKNOWN_MESSAGE.value).inc()
        _log.warning("message_unknown", retraction_id=str(retraction.retraction_id))
    if overdue:
        bench.outbox_bell.ring()
    return len(overdue)
