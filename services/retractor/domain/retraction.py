"""The ledger's rows as the decisions see them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID, uuid5

from libs.common.broker.publishing import Cause
from libs.common.contracts.retraction import Outcome
from services.retractor.domain.ancestry import MatchedBy
from services.retractor.domain.desired import Wish
from services.retractor.domain.mail import Fingerprint, FoundCopy, Mailbox

_COPIES = UUID("a4b7c2de-3c14-45e9-9c2e-7a6f1f7f1d0b")


class Status(StrEnum):
    """Where a retraction stands."""

    #: For its journal report: nobody has told us of such a message yet.
    WAITING = "waiting"
    RUNNING = "running"
    #: For a person.
    HELD = "held"
    #: A person has called it off; what was begun is being finished.
    CANCELLING = "cancelling"
    FINISHED = "finished"
    REFUSED = "refused"
    UNKNOWN_MESSAGE = "unknown_message"
    CANCELLED = "cancelled"


Kind = Literal["retract", "restore"]


@dataclass(frozen=True, slots=True)
class Retraction:
    """One accepted command: to take a message back, or to bring copies home."""

    tenant: str
    retraction_id: UUID
    kind: Kind
    #: The retraction that a restore undoes; a retraction's own id otherwise.
    subject_id: UUID
    publisher: str
    wish: Wish
    #: SHA-256 of the command's body: the same id with another body is a conflict.
    body_sha256: str
    internet_message_id: str | None
    message_key: str | None
    #: None until the message is known.
    expected: Fingerprint | None
    #: Several messages of the tenant carry this Message-ID.
    colliding: bool
    depth: int
    dry_run: bool
    #: The mailboxes that the command named; None = all that received it, later ones included.
    named_mailboxes: tuple[str, ...] | None
    reason: str
    requested_by: str
    status: Status
    status_reason: str | None
    round: int
    accepted_at: datetime
    waiting_until: datetime | None
    #: Until when recipients of later reports join; None = they do not.
    standing_until: datetime | None
    cause: Cause
    unreachable: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether something may still happen by itself."""
        return self.status in {Status.WAITING, Status.RUNNING, Status.HELD, Status.CANCELLING}


@dataclass(frozen=True, slots=True)
class Trials:
    """What a piece of work has been through."""

    failures: int = 0
    #: How often Graph wanted to be left alone: that is no failure.
    throttles: int = 0
    #: When the first of the failures was.
    failing_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """One message to be looked for in one mailbox on behalf of a retraction."""

    tenant: str
    retraction_id: UUID
    mailbox: str
    internet_message_id: str
    expected: Fingerprint
    depth: int
    matched_by: MatchedBy
    #: As in `Receipt`; a sender's own copy is there from the beginning.
    role: str
    #: How often the mailbox has been searched without a hit.
    looks: int = 0
    #: Looks that failed in a row.
    trials: Trials = Trials()


class CopyProgress(StrEnum):
    """How far the work on one copy has come."""

    FOUND = "found"
    #: The row is written before Graph is called: after a crash, look before acting again.
    ACTING = "acting"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy that a retraction found, or the place where it found none."""

    tenant: str
    retraction_id: UUID
    copy_id: UUID
    mailbox: str
    internet_message_id: str | None
    depth: int
    matched_by: MatchedBy | None
    #: None where no copy was found.
    user_id: str | None = None
    graph_message_id: str | None = None
    conversation_index: bytes = b""
    received_at: datetime | None = None
    folder_before: str | None = None
    was_read: bool | None = None
    receipt_requested: bool = False
    categories: tuple[str, ...] = ()
    #: Where to: for a restore the stored folder, else None (the wish says it).
    target_folder: str | None = None
    #: The read state that a restore brings back.
    target_is_read: bool | None = None
    progress: CopyProgress = CopyProgress.FOUND
    trials: Trials = Trials()
    #: When folder and read state were as they are here; None = just now.
    found_at: datetime | None = None
    folder_after: str | None = None
    outcome: Outcome | None = None
    reason: str | None = None


def copy_id_of(retraction_id: UUID, *place: str) -> UUID:
    """Return the identity of a copy within its retraction, a function of where it is.

    `place` is user id and Graph id, or mailbox and Message-ID where no copy was found.
    """
    return uuid5(_COPIES, "\n".join((str(retraction_id), *place)))


def left_out(
    retraction: Retraction,
    mailbox: str,
    internet_message_id: str,
    outcome: Outcome,
    reason: str | None,
    *,
    depth: int = 0,
) -> Copy:
    """Return the row of a mailbox whose outcome is known without a look at any copy."""
    return Copy(
        tenant=retraction.tenant,
        retraction_id=retraction.retraction_id,
        copy_id=copy_id_of(retraction.retraction_id, mailbox, internet_message_id),
        mailbox=mailbox,
        internet_message_id=internet_message_id or None,
        depth=depth,
        matched_by=None,
        outcome=outcome,
        reason=reason,
    )


def found_copy(
    retraction: Retraction, mailbox: Mailbox, item: FoundCopy, depth: int, matched_by: MatchedBy
) -> Copy:
    """Return the ledger's row of a copy that was found."""
    place = (mailbox.user_id, item.graph_message_id)
    return Copy(
        tenant=retraction.tenant,
        retraction_id=retraction.retraction_id,
        copy_id=copy_id_of(retraction.retraction_id, *place),
        mailbox=mailbox.address,
        internet_message_id=item.internet_message_id,
        depth=depth,
        matched_by=matched_by,
        user_id=mailbox.user_id,
        graph_message_id=item.graph_message_id,
        conversation_index=item.conversation_index,
        received_at=item.received_at,
        folder_before=item.folder_id,
        was_read=item.is_read,
        receipt_requested=item.receipt_requested,
        categories=item.categories,
    )
