"""What is known of a message and of its copies in mailboxes."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The headers by which a copy is known to be the message that was meant."""

    #: The first address of the From header, lower case; None where it has none.
    from_address: str | None
    #: The Date header, UTC-aware; None where absent or unreadable.
    sent_at: datetime | None
    subject: str | None


@dataclass(frozen=True, slots=True)
class Message:
    """One message, as its journal reports told us."""

    tenant: str
    message_key: str
    #: The Message-ID header, brackets included; None where the mail has none.
    internet_message_id: str | None
    fingerprint: Fingerprint
    #: PidTagConversationIndex, b"" where the mail carried no Thread-Index.
    conversation_index: bytes = b""


@dataclass(frozen=True, slots=True)
class Receipt:
    """One mailbox that holds a message according to the journal."""

    message_key: str
    mailbox: str
    #: A recipient's role in the report, or `sender` for the sender's own copy.
    role: str


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox of one tenant."""

    tenant: str
    #: The SMTP address by which the mail reached it, lower case.
    address: str
    #: The directory's object id.
    user_id: str


@dataclass(frozen=True, slots=True)
class FoundCopy:
    """One item in a mailbox, as Graph shows it."""

    graph_message_id: str
    internet_message_id: str | None
    folder_id: str
    fingerprint: Fingerprint
    received_at: datetime | None
    is_read: bool
    receipt_requested: bool = False
    categories: tuple[str, ...] = ()
    conversation_id: str | None = None
    conversation_index: bytes = b""
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    #: Addresses in From, To, Cc and Bcc, lower case.
    participants: tuple[str, ...] = ()
