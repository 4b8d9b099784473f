"""One attempt at one piece of work: done, put off, or given up."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from libs.common.errors import PermanentError, TransientError
from services.retractor import metrics
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
    #: Failures so far.
    failures: int
    #: Puts the work off: failures so far, and until when.
    put_off: Callable[[int, datetime], Awaitable[None]]
    give_up: Callable[[str], Awaitable[None]]


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
        await _after_failure(bench, attempt, error)
    except Exception as error:  # noqa: BLE001 - a bug on one copy must not stop all the others
        _log.exception("attempt_failed", error=type(error).__name__)
        await _after_failure(bench, attempt, TransientError(INTERNAL_ERROR))


def is_of_ledger(error: TransientError) -> bool:
    """Return whether it was the database that failed: then nothing can be written about it."""
    return error.reason.startswith("database_")


async def _after_failure(bench: Bench, attempt: Attempt, error: TransientError) -> None:
    failures = attempt.failures + 1
    pace, now = bench.pace, bench.clock.now()
    throttled = error.reason in (_THROTTLED, _THROTTLED_EVERYWHERE)
    if failures >= (pace.max_throttles if throttled else pace.max_attempts):
        await _give_up(attempt, THROTTLED_EXHAUSTED if throttled else error.reason)
        return
    metrics.VISIT_FAILURES.labels(consequence="retried").inc()
    if throttled:
        await attempt.put_off(failures, now)
        asked = error.retry_after_seconds
        raise PausedError(
            _DEFAULT_PAUSE_SECONDS if asked is None else asked,
            everywhere=error.reason == _THROTTLED_EVERYWHERE,
        ) from error
    asked = error.retry_after_seconds
    until = pace.retry_at(now, failures) if asked is None else now + timedelta(seconds=asked)
    await attempt.put_off(failures, until)


async def _give_up(attempt: Attempt, reason: str) -> None:
    metrics.VISIT_FAILURES.labels(consequence="given_up").inc()
    await attempt.give_up(reason)
