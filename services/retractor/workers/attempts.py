"""One attempt at one piece of work: done, put off, or given up."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from libs.common.errors import PermanentError, TransientError
from services.retractor import metrics
from services.retractor.domain.retraction import Trials
from services.retractor.workers.bench import Bench

_log = structlog.get_logger()

_DEFAULT_PAUSE_SECONDS = 5.0
_THROTTLED = "throttled"
_THROTTLED_EVERYWHERE = "throttled_everywhere"
THROTTLED_EXHAUSTED = "throttled_exhausted"
INTERNAL_ERROR = "internal_error"


class PausedError(Exception):
    """The mailbox, or all of Graph, wants to be left alone for a while."""

    def __init__(self, seconds: float, *, everywhere: bool) -> None:
        super().__init__(seconds)
        self.seconds = seconds
        self.everywhere = everywhere


@dataclass(frozen=True, slots=True)
class Attempt:
    """A piece of work, and what to do when it fails."""

    work: Callable[[], Awaitable[None]]
    #: What it has been through so far.
    trials: Trials
    #: Puts the work off: what it has been through now, and until when.
    put_off: Callable[[Trials, datetime], Awaitable[None]]
    give_up: Callable[[str], Awaitable[None]]
    #: On whose behalf, for the log.
    tenant: str
    retraction_id: UUID


async def make(bench: Bench, attempt: Attempt) -> None:
    """Make one attempt.

    Raises:
        PausedError: throttled; the work stays due.
        TransientError: of the ledger.
    """
    try:
        await attempt.work()
    except PermanentError as error:
        await _give_up(attempt, error.reason)
    except TransientError as error:
        if is_of_ledger(error):
            raise
        throttled = error.reason in (_THROTTLED, _THROTTLED_EVERYWHERE)
        await (_after_throttle if throttled else _after_failure)(bench, attempt, error)
    # No group of tasks around this survives an exception: a bug that one copy brings out would end
    # the service for all, and again at its next start.
    except Exception as error:  # noqa: BLE001 - as the consumer loop, for work without a message
        _log.exception("attempt_failed", error=type(error).__name__)
        await _after_failure(bench, attempt, TransientError(INTERNAL_ERROR))


def is_of_ledger(error: TransientError) -> bool:
    """Return whether it was the database that failed: then nothing can be written about it."""
    return error.reason.startswith("database_")


async def _after_throttle(bench: Bench, attempt: Attempt, error: TransientError) -> None:
    trials = replace(attempt.trials, throttles=attempt.trials.throttles + 1)
    if trials.throttles >= bench.pace.max_throttles:
        await _give_up(attempt, THROTTLED_EXHAUSTED)
        return
    metrics.VISIT_FAILURES.labels(consequence="retried").inc()
    await attempt.put_off(trials, bench.clock.now())
    asked = error.retry_after_seconds
    seconds = _DEFAULT_PAUSE_SECONDS if asked is None else asked
    _complain(bench, attempt, error, seconds)
    raise PausedError(seconds, everywhere=error.reason == _THROTTLED_EVERYWHERE) from error


async def _after_failure(bench: Bench, attempt: Attempt, error: TransientError) -> None:
    pace, now = bench.pace, bench.clock.now()
    failures = attempt.trials.failures + 1
    since = attempt.trials.failing_since or now
    enough = failures >= pace.max_attempts
    if enough and now - since >= timedelta(seconds=pace.give_up_seconds):
        await _give_up(attempt, error.reason)
        return
    metrics.VISIT_FAILURES.labels(consequence="retried").inc()
    until, asked = pace.retry_at(now, failures), error.retry_after_seconds
    if asked is not None:  # taken at its word at first, then never sooner than our own pace
        asked_until = now + timedelta(seconds=asked)
        until = max(until, asked_until) if enough else asked_until
    trials = replace(attempt.trials, failures=failures, failing_since=since)
    await attempt.put_off(trials, until)
    _complain(bench, attempt, error, (until - now).total_seconds())


def _complain(bench: Bench, attempt: Attempt, error: TransientError, seconds: float) -> None:
    if bench.complaints.is_due(attempt.tenant, error.reason):
        _log.warning(
            "attempt_put_off",
            tenant=attempt.tenant,
            retraction_id=str(attempt.retraction_id),
            reason=error.reason,
            detail=error.detail or None,
            retry_seconds=round(seconds, 1),
        )


async def _give_up(attempt: Attempt, reason: str) -> None:
    metrics.VISIT_FAILURES.labels(consequence="given_up").inc()
    _log.warning(
        "attempt_given_up",
        tenant=attempt.tenant,
        retraction_id=str(attempt.retraction_id),
        reason=reason,
    )
    await attempt.give_up(reason)
