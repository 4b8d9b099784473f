"""How a message reached us, and what of that is fixed by its first arrival."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Encryption:
    """What a client and we agreed on. We ask no client for a certificate."""

    #: `TLSv1.2` or `TLSv1.3`.
    version: str
    #: As OpenSSL calls it.
    cipher: str


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """One message that a client has handed over completely."""

    content: bytes
    #: Of the content, lower-case hex.
    sha256: str
    #: What SMTP carried; the null reverse-path is "".
    mail_from: str
    #: Each once; None stands for mail that belongs to no tenant.
    tenants: tuple[str | None, ...]
    listener: str
    peer: str
    #: None: in the clear.
    encryption: Encryption | None
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Reception:
    """Where and when a report arrived first.

    Announced with it; a repetition announces the first one's again, so that the same message has
    the same body.
    """

    listener: str
    peer: str
    #: None: in the clear.
    encryption: Encryption | None
    proof: str
    store_key: str
    sha256: str
    size_bytes: int
    original_offset: int
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One report as the book of report keys has it."""

    report_key: str
    tenant: str | None
    #: What another report under the same key would differ in.
    original_sha256: str
    envelope_sha256: str
    reception: Reception
    #: When the broker had confirmed it; None: perhaps not announced yet.
    published_at: datetime | None = None

    def is_same_report(self, other: "Entry") -> bool:
        """Return whether both carry the same mail for the same people."""
        mine = (self.original_sha256, self.envelope_sha256)
        return mine == (other.original_sha256, other.envelope_sha256)
