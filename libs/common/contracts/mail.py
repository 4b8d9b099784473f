"""Messages about mail: what arrived, what it is."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from libs.common.contracts.base import Contract, Part, Personal, Sha256Hex, Tenant

MAX_RECIPIENTS_PER_MESSAGE = 1000


class Disposition(StrEnum):
    """What a message is: exactly one value."""

    MALICIOUS = "malicious"
    SUSPICIOUS = "suspicious"
    SPOOF = "spoof"
    SPAM = "spam"
    BULK = "bulk"
    NONE = "none"


class RecipientRole(StrEnum):
    """How the journal report names a recipient ([MS-XJRNL] 2.1)."""

    TO = "to"
    CC = "cc"
    BCC = "bcc"
    #: Exchange could not trust the addressing (anonymous submission).
    RECIPIENT = "recipient"


class Direction(StrEnum):
    """Which way the mail went, seen from the tenant."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"
    UNKNOWN = "unknown"


class Recipient(Part):
    """One recipient line of a journal report."""

    address: Annotated[str, Personal]
    role: RecipientRole
    #: The distribution list that the address came from.
    expanded_from: Annotated[str | None, Personal] = None
    #: The address that redirected to this one.
    forwarded_from: Annotated[str | None, Personal] = None


class Envelope(Part):
    """Who sent the mail and who received it, as the journal says."""

    #: The null reverse-path is "".
    sender: Annotated[str, Personal]
    on_behalf_of: Annotated[str | None, Personal] = None
    recipients: Annotated[tuple[Recipient, ...], Field(max_length=MAX_RECIPIENTS_PER_MESSAGE)]


class Source(Part):
    """Where the report came from and how its tenant was proved."""

    kind: Literal["journal", "copy", "report", "validation", "unknown"]
    format: str | None = None
    listener: str
    peer: Annotated[str, Personal]
    tls: bool
    #: `TLSv1.2`, `TLSv1.3`; null in the clear.
    tls_version: str | None = None
    #: As OpenSSL calls it; null in the clear.
    tls_cipher: str | None = None
    #: `token` today; more proofs may be added.
    proof: str


class RawMail(Part):
    """Where the received bytes are kept; the original is the slice at `original_offset`."""

    store_key: str
    sha256: Sha256Hex
    size_bytes: int
    original_offset: int
    original_size_bytes: int
    original_sha256: Sha256Hex


class KeyHeaders(Part):
    """The headers by which a person recognises a message. Raw values decoded, null if absent."""

    from_: Annotated[str | None, Field(alias="from"), Personal] = None
    to: Annotated[str | None, Personal] = None
    subject: Annotated[str | None, Personal] = None
    #: The Date header as an instant; null where absent or unreadable.
    date: datetime | None = None


class MailJournaled(Contract):
    """One report (or one part of it, where recipients exceed the limit). Event of ingest."""

    type: ClassVar[str] = "mail.journaled.v1"

    tenant: Tenant
    #: Identity of the report: the same report sent again has the same key.
    report_key: Sha256Hex
    #: Identity of the message: forks of one message share it.
    message_key: Sha256Hex
    #: The Message-ID header, brackets included (RFC 5322 §3.6.4). Written by the sender.
    internet_message_id: Annotated[str | None, Personal]
    part: Annotated[int, Field(ge=1)] = 1
    parts: Annotated[int, Field(ge=1)] = 1
    envelope: Envelope
    source: Source
    raw: RawMail
    headers: KeyHeaders
    #: Base64 of PidTagConversationIndex, as the Thread-Index header carries it.
    thread_index: str | None = None
    in_reply_to: Annotated[str | None, Personal] = None
    references: Annotated[tuple[str, ...], Personal] = ()
    direction: Direction = Direction.UNKNOWN
    flags: tuple[str, ...] = ()
    region: str | None = None
    received_at: datetime


class MailHeld(Contract):
    """Accepted but not trusted; kept raw until a person decides. Event of ingest."""

    type: ClassVar[str] = "mail.held.v1"

    tenant: Tenant | None
    report_key: Sha256Hex
    reason: str
    source: Source
    store_key: str
    sha256: Sha256Hex
    size_bytes: int
    flags: tuple[str, ...] = ()
    received_at: datetime


class Reason(Part):
    """Why a verdict is what it is: a constant code, and plain words that quote the evidence."""

    code: str
    detail: Annotated[str, Personal]


class MailClassified(Contract):
    """What a message is, why, and what policy does about it. Event of the classifier."""

    type: ClassVar[str] = "mail.classified.v1"

    tenant: Tenant
    report_key: Sha256Hex
    message_key: Sha256Hex
    internet_message_id: Annotated[str | None, Personal]
    disposition: Disposition
    attributes: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    #: 0…1, higher is worse.
    score: Annotated[float, Field(ge=0, le=1)]
    #: False where the disposition must not lead to an automatic retraction (after a parse failure).
    retractable: bool = True
    #: What the tenant's policy says for this disposition.
    action: Literal["no_action", "junk", "trash", "soft_delete", "hard_delete"]
    #: The retraction that this verdict asked for, if any.
    retraction_id: str | None = None
    policy_version: str
    cause: Literal["delivery", "re_evaluation", "report", "analyst"] = "delivery"
