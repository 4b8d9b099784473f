"""What ingest knows about one received message once it has been parsed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from libs.common.journaling.flags import Flag

Kind = Literal["journal", "copy", "report", "validation", "unknown"]
Format = Literal["exchange_online", "exchange_onprem", "exchange_2003", "workmail"]
Role = Literal["to", "cc", "bcc", "recipient"]
Extra = str | int | None | tuple[str, ...] | Mapping[str, str | int]


class Recipient(NamedTuple):
    """One recipient line of a report; a tuple, because there can be a hundred thousand."""

    address: str
    role: Role
    expanded_from: str | None = None
    forwarded_from: str | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sent the mail and who received it."""

    #: The null reverse-path is "".
    sender: str = ""
    on_behalf_of: str | None = None
    recipients: tuple[Recipient, ...] = ()


@dataclass(frozen=True, slots=True)
class Original:
    """The message itself, byte for byte.

    Where `decoded` is None it is the slice of the received bytes at `offset`. Otherwise a relay had
    transfer-encoded it: `decoded` holds it, and `offset` is where its encoded text begins.
    """

    offset: int
    size_bytes: int
    sha256: str
    decoded: bytes | None = None


@dataclass(frozen=True, slots=True)
class KeyHeaders:
    """The original's headers by which a person recognises it, decoded; None where absent."""

    from_: str | None = None
    to: str | None = None
    subject: str | None = None
    date: datetime | None = None


@dataclass(frozen=True, slots=True)
class Thread:
    """What ties the original to the conversation that it belongs to."""

    thread_index: str | None = None
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedMail:
    """One received message, understood as far as it can be."""

    kind: Kind
    original: Original
    #: Hash of what forks of one message share; with the tenant it gives the message key.
    content_sha256: str
    #: Hash of the envelope: another report under the same Message-ID differs in it.
    envelope_sha256: str
    format: Format | None = None
    envelope: Envelope = Envelope()
    subject: str | None = None
    #: Of the original, brackets included.
    message_id: str | None = None
    #: Of the report, where Exchange made it: a re-sent report repeats it.
    report_message_id: str | None = None
    headers: KeyHeaders = KeyHeaders()
    thread: Thread = Thread()
    flags: tuple[Flag, ...] = ()
    extras: Mapping[str, Extra] = field(default_factory=dict)
