"""Deletes raw mail when its tenant's time is over."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from libs.common.blobs.port import Blobs
from libs.common.clock import Clock
from libs.common.errors import UndeliverError
from services.ingest import metrics
from services.ingest.domain.retention import Retention
from services.ingest.ports import KeptMail

_EVERY_SECONDS = 3600.0
_AT_ONCE = 500

_log = structlog.get_logger()


async def retain(kept: KeptMail, blobs: Blobs, retention: Retention, clock: Clock) -> None:
    """Look for overdue mail every hour until cancelled."""
    while True:
        with _failure_noted():
            for tenant in (None, *await kept.tenants()):
                # One tenant's mail that cannot be deleted does not keep the others'.
                with _failure_noted():
                    await delete_overdue(tenant, kept, blobs, retention, clock)
        await clock.sleep(_EVERY_SECONDS)


async def delete_overdue(
    tenant: str | None, kept: KeptMail, blobs: Blobs, retention: Retention, clock: Clock
) -> None:
    """Delete what one tenant has had kept for long enough, a bounded number at a time.

    The mail first, then the note of it: a crash in between deletes once more what is gone; the
    other order would keep it for ever.

    Raises:
        TransientError: see `KeptMail` and `Blobs`.
    """
    before, deleted = retention.deadline(tenant, clock.now()), 0
    while overdue := await kept.received_before(tenant, before, _AT_ONCE):
        for mail in overdue:
            await blobs.delete(mail.store_key)
        await kept.mark_deleted([mail.report_key for mail in overdue], clock.now())
        metrics.RAW_MAILS_DELETED.inc(len(overdue))
        deleted += len(overdue)
    if deleted:
        _log.info("raw_mail_deleted", tenant=tenant, mails=deleted, received_before=before)


@contextmanager
def _failure_noted() -> Iterator[None]:
    """Let the loop go on: the next hour tries again."""
    try:
        yield
    except UndeliverError as error:
        metrics.RETENTION_FAILURES.inc()
        _log.warning("raw_mail_not_deleted", reason=error.reason, detail=error.detail)
