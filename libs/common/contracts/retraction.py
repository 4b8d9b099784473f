"""Messages about retractions: commands to the retractor, and what came of them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from libs.common.contracts.base import Contract, Part, Personal, Sha256Hex, Tenant
from libs.common.contracts.mail import KeyHeaders

MAX_MAILBOXES_PER_COMMAND = 10_000


class Destination(StrEnum):
    """Where a retracted copy goes (capability D1)."""

    NONE = "none"
    JUNK = "junk"
    TRASH = "trash"
    #: Recoverable Items\\Deletions: hidden, the user can recover it.
    SOFT_DELETE = "soft_delete"
    #: Recoverable Items\\Purges: only an administrator can recover it.
    HARD_DELETE = "hard_delete"
    #: Back where it was: only a restore goes there.
    ORIGINAL = "original"


class Outcome(StrEnum):
    """What became of one copy."""

    MOVED = "moved"
    ALREADY_THERE = "already_there"
    ABSENT = "absent"
    REFUSED = "refused"
    FAILED = "failed"
    RESTORED = "restored"
    #: A dry run, a hold, or `no action`: found and left alone.
    UNTOUCHED = "untouched"


RetractDestination = Literal["junk", "trash", "soft_delete", "hard_delete"]
Severity = Literal["malicious", "high", "normal", "low"]


class RetractMail(Contract):
    """Take a message back. Command to the retractor.

    Names no mailboxes: all that received it, and those that later reports name, for 30 days.
    `headers` (From, Date, Subject of the message) is believed only from the classifier.
    """

    type: ClassVar[str] = "mail.retract.v1"

    tenant: Tenant
    retraction_id: UUID
    message_key: Sha256Hex | None = None
    internet_message_id: Annotated[str | None, Personal] = None
    headers: KeyHeaders | None = None
    mailboxes: Annotated[
        tuple[str, ...] | None, Field(max_length=MAX_MAILBOXES_PER_COMMAND), Personal
    ] = None
    destination: RetractDestination
    #: How many replies or forwards deep to follow the conversation; 0 = the message alone.
    depth: Annotated[int, Field(ge=0, le=20)] = 0
    dry_run: bool = False
    reason: Annotated[str, Field(max_length=1000), Personal]
    #: A claim; the proof is the publisher.
    requested_by: Annotated[str, Field(max_length=320), Personal]
    severity: Severity = "normal"
    group_id: UUID | None = None


class RestoreRetraction(Contract):
    """Undo a retraction, or some of its copies. Command to the retractor."""

    type: ClassVar[str] = "retraction.restore.v1"

    tenant: Tenant
    restore_id: UUID
    retraction_id: UUID
    #: The copies to bring back, by the `copy_id` of their `copy.settled.v1`; null = all.
    copy_ids: tuple[UUID, ...] | None = None
    reason: Annotated[str, Field(max_length=1000), Personal]
    requested_by: Annotated[str, Field(max_length=320), Personal]


class CancelRetraction(Contract):
    """Stop a retraction that runs, waits or is held. Command to the retractor."""

    type: ClassVar[str] = "retraction.cancel.v1"

    tenant: Tenant
    retraction_id: UUID
    reason: Annotated[str, Field(max_length=1000), Personal]
    requested_by: Annotated[str, Field(max_length=320), Personal]


class CopySettled(Contract):
    """One copy in one mailbox has its outcome. Event of the retractor."""

    type: ClassVar[str] = "copy.settled.v1"

    tenant: Tenant
    retraction_id: UUID
    #: Identity of this copy within its retraction.
    copy_id: UUID
    mailbox: Annotated[str, Personal]
    internet_message_id: Annotated[str | None, Personal]
    #: The copy's own immutable Graph id; null where none was found.
    graph_message_id: str | None = None
    destination: Destination
    outcome: Outcome
    #: A constant code; null where the outcome says it all.
    reason: str | None = None
    #: Well-known name where it has one, else the Graph folder id.
    folder_before: str | None = None
    folder_after: str | None = None
    was_read: bool | None = None
    #: 0 = the message itself, 1 = a reply to or forward of it, …
    depth: int = 0
    #: Why the copy was taken for one: `message_id`, `conversation_index`, `in_reply_to` or
    #: `references`.
    matched_by: str | None = None
    automatic: bool
    settled_at: datetime


class OutcomeCounts(Part):
    """How many copies ended how."""

    moved: int = 0
    already_there: int = 0
    absent: int = 0
    refused: int = 0
    failed: int = 0
    restored: int = 0
    untouched: int = 0


class PlannedCopy(Part):
    """A copy that a dry run found, and what would become of it."""

    mailbox: Annotated[str, Personal]
    internet_message_id: Annotated[str | None, Personal]
    folder: str | None
    depth: int
    outcome: Outcome
    reason: str | None = None


class RetractionPlanned(Contract):
    """A dry run has ended: what a retraction would do. At most 1,000 copies each, more in parts."""

    type: ClassVar[str] = "retraction.planned.v1"

    tenant: Tenant
    retraction_id: UUID
    part: int = 1
    parts: int = 1
    copies: tuple[PlannedCopy, ...]


class RetractionAccepted(Contract):
    """A retraction is in the ledger. `status`: running, or waiting for its journal report."""

    type: ClassVar[str] = "retraction.accepted.v1"

    tenant: Tenant
    retraction_id: UUID
    status: Literal["running", "waiting"]
    destination: Destination
    mailboxes: int
    requested_by: Annotated[str, Personal]
    publisher: str
    automatic: bool


class RetractionHeld(Contract):
    """A retraction waits for a person. Nothing has been touched."""

    type: ClassVar[str] = "retraction.held.v1"

    tenant: Tenant
    retraction_id: UUID
    reason: str
    requested_by: Annotated[str, Personal]
    publisher: str


class RetractionFinished(Contract):
    """Every copy known so far has its outcome, or the retraction was refused with `reason`."""

    type: ClassVar[str] = "retraction.finished.v1"

    tenant: Tenant
    retraction_id: UUID
    #: `restore` where copies went back.
    kind: Literal["retract", "restore"] = "retract"
    #: Rises by one each time later recipients joined a standing order.
    round: int = 1
    status: Literal["finished", "refused", "unknown_message", "cancelled"]
    reason: str | None = None
    counts: OutcomeCounts
    #: External addresses that hold a copy which nobody here can reach.
    unreachable: Annotated[tuple[str, ...], Personal] = ()
    finished_at: datetime
