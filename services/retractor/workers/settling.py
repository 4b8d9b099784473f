"""Writes what became of copies, says so, and ends a retraction when its last copy is settled."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import structlog

from libs.common.contracts import Contract
from libs.common.contracts.retraction import Outcome
from services.retractor import metrics
from services.retractor.domain import announcements
from services.retractor.domain.desired import CopyState
from services.retractor.domain.retraction import (
    Copy,
    CopyProgress,
    Retraction,
    Search,
    Status,
    left_out,
)
from services.retractor.ports.ledger import Transaction
from services.retractor.workers.bench import Bench

_log = structlog.get_logger()

CANCELLED = "cancelled"

#: What a move makes of the state of a copy; None where nobody has wished anything yet.
Landed = Callable[[CopyState | None], CopyState]


async def settle(
    bench: Bench,
    copy: Copy,
    outcome: Outcome,
    reason: str | None = None,
    *,
    folder_after: str | None = None,
    landed: Landed | None = None,
    names: Mapping[str, str] | None = None,
) -> None:
    """Write the outcome of one copy and announce it; with the last one, the retraction's end.

    `landed` says what the move has made of the copy's state; it is given the present one, locked,
    since a person may have wished something else meanwhile.

    All in one transaction: after a crash either everything of it happened or nothing.
    """
    copy = replace(
        copy,
        progress=CopyProgress.SETTLED,
        outcome=outcome,
        reason=reason,
        folder_after=folder_after,
    )
    async with bench.ledger.transaction() as ledger:
        retraction = await ledger.retractions.get(copy.tenant, copy.retraction_id, locked=True)
        if retraction is None or await is_settled(ledger, copy):
            return  # what was said stands
        if landed is not None and copy.user_id and copy.graph_message_id:
            at = (copy.tenant, copy.user_id, copy.graph_message_id)
            await ledger.states.put(*at, landed(await ledger.states.get(*at)))
        await ledger.work.put_copy(copy, None)
        if not retraction.dry_run:
            said = announcements.settled(retraction, copy, names or {}, bench.clock.now())
            await ledger.answers.announce(
                bench.announcements(retraction, [said], str(copy.copy_id))
            )
        await finish_if_done(bench, ledger, retraction)
    if not retraction.dry_run:
        metrics.COPIES.labels(outcome=outcome.value).inc()
    _log.info(
        "copy_planned" if retraction.dry_run else "copy_settled",
        tenant=copy.tenant,
        retraction_id=str(copy.retraction_id),
        copy_id=str(copy.copy_id),
        outcome=outcome.value,
        reason=reason,
    )
    bench.outbox_bell.ring()


async def is_running(ledger: Transaction, retraction: Retraction) -> bool:
    """Return whether a retraction still runs, and hold it so until the transaction ends."""
    now = await ledger.retractions.get(retraction.tenant, retraction.retraction_id, locked=True)
    return now is not None and now.status is Status.RUNNING


async def is_settled(ledger: Transaction, copy: Copy) -> bool:
    """Return whether another visit, that took over a lost lease, has settled a copy already."""
    now = await ledger.progress.copy(copy)
    return now is None or now.progress is CopyProgress.SETTLED


async def close_search(bench: Bench, search: Search, outcome: Outcome, reason: str | None) -> None:
    """End a search that found nothing to move: its mailbox is reported with the outcome.

    The row is entered as a copy that the next round of the visit settles.
    """
    async with bench.ledger.transaction() as ledger:
        retraction = await ledger.retractions.get(search.tenant, search.retraction_id, locked=True)
        if retraction is None:
            return
        row = left_out(
            retraction,
            search.mailbox,
            search.internet_message_id,
            outcome,
            reason,
            depth=search.depth,
        )
        await ledger.work.enter_copies([row], bench.clock.now())
        await ledger.work.put_search(search, None)
        await finish_if_done(bench, ledger, retraction)


async def finish_if_done(bench: Bench, ledger: Transaction, retraction: Retraction) -> None:
    """Announce the end of a retraction, locked by the caller, that has no work left."""
    if retraction.status not in (Status.RUNNING, Status.CANCELLING):
        return
    place = (retraction.tenant, retraction.retraction_id)
    if await ledger.progress.is_open(*place):
        return
    cancelled = retraction.status is Status.CANCELLING
    ended = replace(retraction, status=Status.CANCELLED if cancelled else Status.FINISHED)
    await ledger.retractions.put(ended)
    if ended.dry_run:
        plan = announcements.planned(ended, await ledger.progress.copies(*place))
        await _announce(bench, ledger, ended, plan, "planned")
        counts: Mapping[str, int] = {"untouched": sum(len(part.copies) for part in plan)}
    else:
        counts = await ledger.progress.counts(*place)
    said = announcements.finished(ended, counts, bench.clock.now())
    await _announce(bench, ledger, ended, [said], f"finished/{ended.round}")
    metrics.RETRACTIONS.labels(outcome=ended.status.value).inc()
    _log.info(
        "retraction_finished",
        tenant=ended.tenant,
        retraction_id=str(ended.retraction_id),
        kind=ended.kind,
        status=ended.status.value,
        counts=dict(counts),
    )


async def _announce(
    bench: Bench,
    ledger: Transaction,
    retraction: Retraction,
    contracts: Sequence[Contract],
    key: str,
) -> None:
    await ledger.answers.announce(bench.announcements(retraction, contracts, key))
