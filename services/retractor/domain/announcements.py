"""What the retractor says about its ledger, as contracts."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from libs.common.contracts.retraction import (
    CopySettled,
    Outcome,
    OutcomeCounts,
    PlannedCopy,
    RetractionAccepted,
    RetractionFinished,
    RetractionHeld,
    RetractionPlanned,
)
from services.retractor.domain.retraction import Copy, Retraction, Status

_COPIES_PER_PLAN = 1000

_ENDS = {
    Status.FINISHED: "finished",
    Status.REFUSED: "refused",
    Status.UNKNOWN_MESSAGE: "unknown_message",
    Status.CANCELLED: "cancelled",
}


def accepted(retraction: Retraction, mailboxes: int) -> RetractionAccepted:
    """Say that the ledger has it."""
    return RetractionAccepted(
        tenant=retraction.tenant,
        retraction_id=retraction.subject_id,
        status="waiting" if retraction.status is Status.WAITING else "running",
        destination=retraction.wish.destination,
        mailboxes=mailboxes,
        requested_by=retraction.requested_by,
        publisher=retraction.publisher,
        automatic=retraction.wish.automatic,
    )


def held(retraction: Retraction) -> RetractionHeld:
    """Say that it waits for a person."""
    return RetractionHeld(
        tenant=retraction.tenant,
        retraction_id=retraction.subject_id,
        reason=retraction.status_reason or "",
        requested_by=retraction.requested_by,
        publisher=retraction.publisher,
    )


def finished(
    retraction: Retraction, counts: Mapping[str, int], finished_at: datetime
) -> RetractionFinished:
    """Say that every copy known so far has its outcome."""
    return RetractionFinished.model_validate(
        {
            "tenant": retraction.tenant,
            "retraction_id": retraction.subject_id,
            "kind": retraction.kind,
            "round": retraction.round,
            "status": _ENDS[retraction.status],
            "reason": retraction.status_reason,
            "counts": OutcomeCounts.model_validate(dict(counts)),
            "unreachable": retraction.unreachable,
            "finished_at": finished_at,
        }
    )


def settled(
    retraction: Retraction, copy: Copy, names: Mapping[str, str], settled_at: datetime
) -> CopySettled:
    """Say what became of one copy. `names` are the well-known names of its mailbox's folders."""
    return CopySettled(
        tenant=copy.tenant,
        retraction_id=retraction.subject_id,
        copy_id=copy.copy_id,
        mailbox=copy.mailbox,
        internet_message_id=copy.internet_message_id,
        graph_message_id=copy.graph_message_id,
        destination=retraction.wish.destination,
        outcome=copy.outcome or Outcome.FAILED,
        reason=copy.reason,
        folder_before=_named(copy.folder_before, names),
        folder_after=_named(copy.folder_after, names),
        was_read=copy.was_read,
        depth=copy.depth,
        matched_by=copy.matched_by,
        automatic=retraction.wish.automatic,
        settled_at=settled_at,
    )


def planned(retraction: Retraction, copies: Sequence[Copy]) -> list[RetractionPlanned]:
    """Say what a dry run found, in parts."""
    chunks = [
        copies[start : start + _COPIES_PER_PLAN]
        for start in range(0, len(copies), _COPIES_PER_PLAN)
    ] or [copies]
    return [
        RetractionPlanned(
            tenant=retraction.tenant,
            retraction_id=retraction.retraction_id,
            part=part,
            parts=len(chunks),
            copies=tuple(_planned(copy) for copy in chunk),
        )
        for part, chunk in enumerate(chunks, start=1)
    ]


def _planned(copy: Copy) -> PlannedCopy:
    return PlannedCopy(
        mailbox=copy.mailbox,
        internet_message_id=copy.internet_message_id,
        folder=copy.folder_before,
        depth=copy.depth,
        outcome=copy.outcome or Outcome.UNTOUCHED,
        reason=copy.reason,
    )


def _named(folder_id: str | None, names: Mapping[str, str]) -> str | None:
    return names.get(folder_id, folder_id) if folder_id else None
