"""Deletes raw mail when its tenant's time is over."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import structlog

from libs.common.blobs.port import Blobs
from libs.common.clock import Clock
from libs.common.errors import UndeliverError
from services.ingest import metrics
from services.ingest.domain.retention import KeptRaw, Retention
from services.ingest.ports import KeptMail
from services.ingest.workers.deletion import delete_each

_EVERY_SECONDS = 3600.0
_AT_ONCE = 500
#: Mail may be locked in the store, so that what follows is tried; a store that is away is not.
_FRUITLESS_AT_MOST = 3

_log = structlog.get_logger()


async def retain(
    kept: KeptMail, blobs: Blobs, retention: Callable[[], Retention], clock: Clock
) -> None:
    """Look for overdue mail every hour until cancelled, by the retention that is in force then."""
    while True:
        with _failure_noted():
            longest = timedelta(0)
            for tenant in (None, *await kept.tenants()):
                # One tenant's mail that cannot be deleted does not keep the others'.
                with _failure_noted():
                    await delete_overdue(tenant, kept, blobs, retention(), clock)
                    left = await overdue_for(tenant, kept, retention(), clock)
                    longest = max(longest, left)
            metrics.RAW_MAIL_OVERDUE_SECONDS.set(longest.total_seconds())
        await clock.sleep(_EVERY_SECONDS)


async def delete_overdue(
    tenant: str | None, kept: KeptMail, blobs: Blobs, retention: Retention, clock: Clock
) -> None:
    """Delete what one tenant has had kept for long enough, a bounded number at a time.

    The mail first, then the note of it: a crash in between deletes once more what is gone; the
    other order would keep it for ever. What cannot be deleted is passed over until the next time.

    Raises:
        TransientError: see `KeptMail`.
    """
    before = retention.deadline(tenant, clock.now())
    deleted, fruitless, last, reasons = 0, 0, None, set[str]()
    while fruitless < _FRUITLESS_AT_MOST and (
        overdue := await kept.received_before(tenant, before, _AT_ONCE, last)
    ):
        outcome = await delete_each({mail.store_key for mail in overdue}, blobs)
        gone = [mail.report_key for mail in overdue if mail.store_key in outcome.deleted]
        await kept.mark_deleted(gone, clock.now())
        metrics.RAW_MAILS_DELETED.inc(len(gone))
        deleted, last = deleted + len(gone), overdue[-1]
        fruitless = 0 if gone else fruitless + 1
        reasons.update(outcome.reasons)
    if reasons:
        metrics.RETENTION_FAILURES.inc()
        _log.warning("raw_mail_not_deleted", tenant=tenant, reasons=sorted(reasons))
    if deleted:
        _log.info("raw_mail_deleted", tenant=tenant, mails=deleted, received_before=before)


async def overdue_for(
    tenant: str | None, kept: KeptMail, retention: Retention, clock: Clock
) -> timedelta:
    """Return for how long a tenant's oldest mail should have been gone; zero if there is none.

    Raises:
        TransientError: see `KeptMail`.
    """
    before = retention.deadline(tenant, clock.now())
    oldest: list[KeptRaw] = [*await kept.received_before(tenant, before, 1)]
    return before - oldest[0].received_at if oldest else timedelta(0)


@contextmanager
def _failure_noted() -> Iterator[None]:
    """Let the loop go on: the next hour tries again."""
    try:
        yield
    except UndeliverError as error:
        metrics.RETENTION_FAILURES.inc()
        _log.warning("raw_mail_not_deleted", reasons=[error.reason], detail=error.detail)
