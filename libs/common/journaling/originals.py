"""The original message inside a report: where it is, and what it says about itself."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from libs.common.journaling import mime
from libs.common.journaling.flags import Flag
from libs.common.journaling.keys import content_sha256
from libs.common.journaling.limits import (
    MAX_EXTRA_CHARS,
    MAX_KEY_HEADER_CHARS,
    MAX_MESSAGE_ID_BYTES,
    MAX_REFERENCES,
    MAX_THREAD_INDEX_CHARS,
)
from libs.common.journaling.mail import Extra, KeyHeaders, Original, Thread
from libs.common.journaling.mime import Entity

_ORGANIZATION = "x-ms-exchange-organization-"
#: What Exchange says about the original, for people and for the tenant's proof.
_EXTRAS = {
    "inner_org_id": _ORGANIZATION + "id",
    "inner_original_tenant_id": _ORGANIZATION + "originaltenant-id",
    "directionality": _ORGANIZATION + "messagedirectionality",
    "original_envelope_recipients": _ORGANIZATION + "originalenveloperecipients",
    "auth_as": _ORGANIZATION + "authas",
    "network_message_id": _ORGANIZATION + "network-message-id",
    "tenant_attributed": "x-eoptenantattributedmessage",
}
_TNEF = "application/ms-tnef"
_RIGHTS_PROTECTED = "application/x-microsoft-rpmsg-message"
_MAX_DATE_CHARS = 200


@dataclass(frozen=True, slots=True)
class FoundOriginal:
    """The original as an entity of its own, and where it was in the received bytes."""

    message: Entity
    #: Of its first byte; of its encoded text, where a relay had transfer-encoded it.
    offset: int
    is_encoded: bool = False

    def original(self) -> Original:
        """Return its place, size and hash."""
        content = memoryview(self.message.raw)[self.message.start : self.message.end]
        return Original(
            offset=self.offset,
            size_bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            decoded=bytes(content) if self.is_encoded else None,
        )

    def content_sha256(self) -> str:
        """Return the hash of what forks of the message share."""
        message = self.message
        return content_sha256(message.raw, message.headers, message.body, message.end)

    def flags(self) -> set[Flag]:
        """Return what is odd about it."""
        flags = {Flag.TRANSFER_ENCODED_ORIGINAL} if self.is_encoded else set()
        if self.message.headers.truncated:
            flags.add(Flag.HEADER_TOO_LARGE)
        if _holds(self.message, _TNEF):
            flags.add(Flag.TNEF)
        return flags | _byte_flags(self.message)

    @property
    def is_protected(self) -> bool:
        """Whether this is the rights-protected form, which nobody can read without a licence."""
        content_class = (self.message.headers.text("content-class") or "").lower()
        return content_class.startswith("rpmsg") or _holds(self.message, _RIGHTS_PROTECTED)


def whole(raw: bytes) -> FoundOriginal:
    """Return a mail that is its own original."""
    return FoundOriginal(mime.entity(raw, 0, len(raw)), offset=0)


def attached(part: Entity) -> FoundOriginal:
    """Return the message that a part carries, its transfer encoding undone."""
    if part.encoding:
        content = part.content()
        return FoundOriginal(mime.entity(content, 0, len(content)), part.body, is_encoded=True)
    return FoundOriginal(mime.entity(part.raw, part.body, part.end), part.body)


def _holds(message: Entity, content_type: str) -> bool:
    if message.content_type == content_type:
        return True
    return any(part.content_type == content_type for part in mime.parts(message).entities)


def _byte_flags(message: Entity) -> set[Flag]:
    raw, start, end = message.raw, message.start, message.end
    pairs = raw.count(b"\r\n", start, end)
    flags = set()
    if raw.count(b"\n", start, end) > pairs:
        flags.add(Flag.BARE_LF)
    if raw.count(b"\r", start, end) > pairs:
        flags.add(Flag.BARE_CR)
    if raw.find(b"\0", start, end) >= 0:
        flags.add(Flag.NUL_BYTE)
    return flags


def key_headers(message: Entity) -> KeyHeaders:
    """Return the headers by which a person recognises the message."""
    return KeyHeaders(
        from_=_bounded(message.headers.text("from")),
        to=_bounded(message.headers.text("to")),
        subject=_bounded(message.headers.text("subject")),
        date=_instant(message.headers.text("date")),
    )


def thread(message: Entity) -> Thread:
    """Return what ties the message to its conversation."""
    index = message.headers.text("thread-index")
    references = (message.headers.text("references") or "").split()
    return Thread(
        thread_index="".join(index.split())[:MAX_THREAD_INDEX_CHARS] or None if index else None,
        in_reply_to=(message.headers.text("in-reply-to") or "")[:MAX_MESSAGE_ID_BYTES] or None,
        references=tuple(
            reference[:MAX_MESSAGE_ID_BYTES] for reference in references[-MAX_REFERENCES:]
        ),
    )


def message_id_of(message: Entity) -> str | None:
    """Return the Message-ID header, brackets included; None where absent or empty."""
    return (message.headers.text("message-id") or "").strip() or None


def bounded_message_id(message_id: str | None, flags: set[Flag]) -> str | None:
    """Drop what is too long to be looked for, and say so."""
    if message_id is not None and len(message_id.encode()) > MAX_MESSAGE_ID_BYTES:
        flags.add(Flag.MESSAGE_ID_TOO_LONG)
        return None
    return message_id


def extras(message: Entity) -> dict[str, Extra]:
    """Return what Exchange stamped on the original; worth something only in a proved report."""
    return {
        name: (message.headers.text(header) or "")[:MAX_EXTRA_CHARS] or None
        for name, header in _EXTRAS.items()
    }


def _bounded(text: str | None) -> str | None:
    return None if text is None else text[:MAX_KEY_HEADER_CHARS]


def _instant(text: str | None) -> datetime | None:
    """Read a Date header; `-0000` means UTC of an unknown place (RFC 5322 §3.3)."""
    if not text:
        return None
    try:
        read = parsedate_to_datetime(text[:_MAX_DATE_CHARS])
        aware = read if read.tzinfo else read.replace(tzinfo=UTC)
        return aware.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
