"""A message as the sender wrote it, read once and shared by all its copies."""

import email
import email.policy
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message as ParsedMail
from email.utils import getaddresses, parsedate_to_datetime
from functools import cached_property

_LARGEST_HEADER_BYTES = 256 * 1024
_MOST_ADDRESSES = 2000
_FOLD = re.compile(r"\r?\n[ \t]?|\r")


@dataclass(frozen=True, slots=True)
class Person:
    """An address with its display name."""

    name: str
    address: str


@dataclass(frozen=True)
class Message:
    """What the header block says, and the bytes. Nothing in it is believed."""

    mime: bytes
    headers: tuple[tuple[str, str], ...]

    def first(self, name: str) -> str | None:
        """Return the first header of that name, unfolded but not decoded."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def people(self, name: str) -> tuple[Person, ...]:
        """Return the addresses of all headers of that name."""
        wanted = name.lower()
        if wanted not in self._people:
            values = [value for key, value in self.headers if key.lower() == wanted]
            pairs = getaddresses(values)[:_MOST_ADDRESSES]
            found = tuple(Person(_decoded(shown), address) for shown, address in pairs if address)
            self._people[wanted] = found
        return self._people[wanted]

    @cached_property
    def _people(self) -> dict[str, tuple[Person, ...]]:
        return {}

    @cached_property
    def internet_message_id(self) -> str:
        """The Message-ID with its brackets; empty if it has none."""
        return (self.first("Message-ID") or "").strip()

    @cached_property
    def subject(self) -> str:
        """The decoded subject."""
        return _decoded(self.first("Subject") or "")

    @cached_property
    def sent_at(self) -> datetime | None:
        """The Date header, if it is one."""
        try:
            at = parsedate_to_datetime(self.first("Date") or "")
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        try:
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
        except (OverflowError, ValueError):
            return None

    @cached_property
    def asks_for_receipt(self) -> bool:
        """Whether the sender wants to know that it was read."""
        return bool(self.first("Disposition-Notification-To") or self.first("Return-Receipt-To"))

    @cached_property
    def body(self) -> tuple[str, str]:
        """The content type (`html` or `text`) and the text of what a reader sees."""
        try:
            mail = email.message_from_bytes(self.mime, policy=email.policy.default)
            part = mail.get_body(("html", "plain"))
            if part is None:
                return "text", ""
            kind = "html" if part.get_content_subtype() == "html" else "text"
            return kind, str(part.get_content())
        except (MessageError, LookupError, ValueError, TypeError, AttributeError, IndexError):
            return "text", ""

    @cached_property
    def has_attachments(self) -> bool:
        """Whether some part is named or declared an attachment."""
        return _has_attachments(email.message_from_bytes(self.mime))


def read(mime: bytes) -> Message:
    """Read the header block; a broken one gives as much as there is."""
    end = _end_of_headers(mime)
    block = mime[: min(end, _LARGEST_HEADER_BYTES)]
    parsed = email.message_from_bytes(block, policy=email.policy.compat32)
    headers = tuple((name, _FOLD.sub(" ", str(value)).strip()) for name, value in parsed.items())
    return Message(mime, headers)


def with_message_id(mime: bytes, internet_message_id: str) -> bytes:
    """Put a Message-ID in front, as Exchange does for mail that comes without."""
    return b"Message-ID: " + internet_message_id.encode("utf-8") + b"\r\n" + mime


def without_bcc(mime: bytes) -> bytes:
    """Take the Bcc lines out: only the sender's own copy shows them."""
    end = _end_of_headers(mime)
    head = re.sub(rb"(?im)^bcc:.*\n(?:[ \t].*\n)*", b"", mime[:end])
    return head + mime[end:]


def _end_of_headers(mime: bytes) -> int:
    ends = [at + len(mark) for mark in (b"\r\n\r\n", b"\n\n") if (at := mime.find(mark)) >= 0]
    return min(ends, default=len(mime))


def _decoded(value: str) -> str:
    try:
        return str(make_header(decode_header(value)))
    except (MessageError, LookupError, ValueError):
        return value


def _has_attachments(mail: ParsedMail) -> bool:
    return any(
        part.get_filename() or part.get_content_disposition() == "attachment"
        for part in mail.walk()
    )
