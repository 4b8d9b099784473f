"""Deletes raw mail that no entry names: what a crash left between storing and entering."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

import structlog

from libs.common.blobs.keys import day_of
from libs.common.blobs.port import BlobStore, StoredBlob
from libs.common.clock import Clock
from libs.common.errors import UndeliverError
from services.ingest import metrics
from services.ingest.domain import sweeping
from services.ingest.domain.sweeping import Finding
from services.ingest.ports import BlobBook
from services.ingest.workers.deletion import delete_each

_EVERY_SECONDS = 24 * 3600.0
_AT_ONCE = 500

_log = structlog.get_logger()


@dataclass(slots=True)
class Removal:
    """What became of the orphans."""

    deleted: int = 0
    failed: int = 0


async def sweep(
    book: BlobBook, blobs: BlobStore, clock: Clock, *, orphans_at_most: int | None
) -> None:
    """Look for orphans now and every day until cancelled.

    Replicas may do so at the same time: what one has deleted is no error for another.
    """
    while True:
        try:
            await sweep_once(book, blobs, clock, orphans_at_most=orphans_at_most)
        except UndeliverError as error:
            metrics.SWEEPS.labels("failed").inc()
            _log.warning("orphans_not_swept", reason=error.reason, detail=error.detail)
        await clock.sleep(_EVERY_SECONDS)


async def sweep_once(
    book: BlobBook, blobs: BlobStore, clock: Clock, *, orphans_at_most: int | None
) -> None:
    """Compare what is stored with the book, day by day, and delete what is nobody's.

    A day without an orphan left is noted and not looked at again, since nothing is stored under a
    past day. All is counted before anything is deleted, and where it is too much, nothing is.

    Raises:
        TransientError: see `BlobBook` and `BlobListing`; what was not judged is not deleted.
    """
    state = await book.state()
    finding = await _look(book, blobs, sweeping.safe_before(clock.now(), state.now))
    metrics.ORPHANS.set(finding.orphans)
    refusal = sweeping.refusal(finding, state, orphans_at_most)
    removal = Removal() if refusal else await _remove(finding, blobs)
    await book.mark_swept(sweeping.settled(finding, is_removed=refusal is None))
    metrics.SWEEPS.labels("refused" if refusal else "done").inc()
    (_log.error if refusal else _log.info)(
        "orphans_spared" if refusal else "orphans_swept",
        reason=refusal,
        orphans=finding.orphans,
        stored=finding.stored,
        days=len(finding.days),
        first_day=min(finding.keys, key=day_of, default=None),
        deleted=removal.deleted,
        failed=removal.failed,
    )


async def _look(book: BlobBook, blobs: BlobStore, before: datetime) -> Finding:
    past = [day for day in await blobs.days() if sweeping.is_over(day_of(day), before)]
    finding = Finding(await book.unswept(past))
    for day in finding.days:
        async with aclosing(blobs.stored(day)) as pages:
            async for page in pages:
                # Listed first, then asked: an entry that is written meanwhile is found.
                unknown = await book.unknown([blob.key for blob in page])
                finding.note(day, len(page), _of(page, unknown), before)
    return finding


def _of(page: Sequence[StoredBlob], keys: Sequence[str]) -> list[StoredBlob]:
    wanted = set(keys)
    return [blob for blob in page if blob.key in wanted]


async def _remove(finding: Finding, blobs: BlobStore) -> Removal:
    removal = Removal()
    for day, keys in finding.keys.items():
        for first in range(0, len(keys), _AT_ONCE):
            outcome = await delete_each(keys[first : first + _AT_ONCE], blobs)
            metrics.ORPHANS_DELETED.inc(len(outcome.deleted))
            removal.deleted += len(outcome.deleted)
            removal.failed += len(outcome.failed)
            if outcome.failed:
                finding.unsettled.add(day)
    return removal
