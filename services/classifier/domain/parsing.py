"""Bytes to `ParsedMail`, whatever the bytes are: bounded, and never an exception.

The standard library's *compat32* policy: its newer ones raise, recurse or take seconds on hostile
input.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from itertools import islice

from services.classifier.domain import html as html_pages
from services.classifier.domain.headers import (
    MAX_VALUE_CHARACTERS,
    addresses,
    decoded,
    readable,
    to_text,
)
from services.classifier.domain.mail import Address, Attachment, Page, ParsedMail
from services.classifier.domain.nesting import is_too_deep

MAX_HEADER_BLOCK_BYTES = 1_048_576
MAX_HEADERS = 1_000
MAX_PARTS = 1_000
MAX_TEXT_BYTES = 524_288
MAX_TEXT_CHARACTERS = 262_144
MAX_HTML_BYTES = 2_097_152
MAX_PAGES = 20
MAX_TEXTS = 50
MAX_ATTACHMENT_BYTES = 16_777_216
MAX_DECODED_BYTES = 134_217_728


def parse(raw: bytes) -> ParsedMail:
    """Return the message; where its body cannot be read, its headers and the `failure`."""
    if not raw.strip():
        return ParsedMail(failure="empty")
    if is_too_deep(raw):
        return _headers_only(raw, "nested_too_deep")
    try:
        return _read(message_from_bytes(raw))
    except RecursionError:
        return _headers_only(raw, "nested_too_deep")
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
        return _headers_only(raw, type(error).__name__.lower())


def header_block(raw: bytes) -> bytes:
    """Return the bytes before the first empty line, at most `MAX_HEADER_BLOCK_BYTES`."""
    block = raw[:MAX_HEADER_BLOCK_BYTES]
    ends = [end for end in (block.find(b"\r\n\r\n"), block.find(b"\n\n")) if end >= 0]
    return block[: min(ends)] if ends else block


def headers_of(raw: bytes) -> ParsedMail:
    """Return only what the header block says."""
    return _with_headers(message_from_bytes(header_block(raw) + b"\r\n\r\n"))


def _headers_only(raw: bytes, failure: str) -> ParsedMail:
    try:
        mail = headers_of(raw)
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError):
        return ParsedMail(failure=failure)
    return ParsedMail(
        headers=mail.headers,
        from_=mail.from_,
        sender=mail.sender,
        reply_to=mail.reply_to,
        recipients=mail.recipients,
        subject=mail.subject,
        failure=failure,
    )


def _raw_headers(message: Message) -> list[tuple[str, str]]:
    items = islice(message.raw_items(), MAX_HEADERS)
    return [(name.lower(), readable(str(value)[:MAX_VALUE_CHARACTERS])) for name, value in items]


def _with_headers(message: Message, **body: object) -> ParsedMail:
    raw = _raw_headers(message)

    def people(*names: str) -> tuple[Address, ...]:
        return tuple(one for name, value in raw if name in names for one in addresses(value))

    headers = tuple((name, decoded(value)) for name, value in raw)
    return ParsedMail(
        headers=headers,
        from_=people("from"),
        sender=people("sender"),
        reply_to=people("reply-to"),
        recipients=people("to", "cc"),
        subject=next((value for name, value in headers if name == "subject"), ""),
        **body,  # type: ignore[arg-type]  # its values are of the fields' types
    )


@dataclass(slots=True)
class _Body:
    """What has been read so far, and how much of the bounds is left."""

    texts: list[str] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    decoded_bytes: int = 0
    truncated: set[str] = field(default_factory=set)

    def take(self, part: Message, is_nested: bool) -> None:
        """Read one leaf: as body text, or as an attachment."""
        if self.decoded_bytes > MAX_DECODED_BYTES:
            self.truncated.add("bytes")
            return
        content = part.get_payload(decode=True)
        content = content if isinstance(content, bytes) else b""
        self.decoded_bytes += len(content)
        name, kind = _name(part), part.get_content_type()
        if kind.startswith("multipart/"):
            # Declared as multipart, but no delimiter was found: a reader shows it as text.
            kind = "text/html" if b"<html" in content[:4096].lower() else "text/plain"
        is_body = not name and kind in ("text/plain", "text/html")
        if is_body and part.get_content_disposition() != "attachment":
            if not is_nested:
                self._take_text(content, kind, _charset(part))
            return
        if kind == "text/html" and not is_nested and not _is_html_name(name):
            self._take_text(content, kind, _charset(part))
        self.attachments.append(
            Attachment(name, kind, content[:MAX_ATTACHMENT_BYTES], len(content), is_nested)
        )

    def _take_text(self, content: bytes, kind: str, charset: str | None) -> None:
        if kind == "text/html" and len(self.pages) < MAX_PAGES:
            page = html_pages.read(to_text(content[:MAX_HTML_BYTES], charset))
            self.pages.append(page)
            self.texts.append(page.text)
        elif kind == "text/plain" and len(self.texts) < MAX_TEXTS:
            self.texts.append(to_text(content[:MAX_TEXT_BYTES], charset))


def _read(message: Message) -> ParsedMail:
    if not message.keys():
        return ParsedMail(failure="no_headers")
    body = _Body()
    for count, (part, is_nested) in enumerate(_leaves(message)):
        if count == MAX_PARTS:
            body.truncated.add("parts")
            break
        body.take(part, is_nested)
    return _with_headers(
        message,
        text="\n".join(body.texts)[:MAX_TEXT_CHARACTERS],
        pages=tuple(body.pages),
        attachments=tuple(body.attachments),
        truncated=tuple(sorted(body.truncated)),
    )


def _leaves(message: Message) -> Iterator[tuple[Message, bool]]:
    """Walk without recursion, in reading order; `is_nested` below an attached message."""
    waiting: list[tuple[Message, bool]] = [(message, False)]
    while waiting:
        part, is_nested = waiting.pop()
        children = part.get_payload()
        if isinstance(children, list):
            below = is_nested or part.get_content_maintype() == "message"
            waiting += [(c, below) for c in reversed(children) if isinstance(c, Message)]
        else:
            yield part, is_nested


def _name(part: Message) -> str:
    name = part.get_filename()
    return decoded(name)[:500] if name else ""


def _charset(part: Message) -> str | None:
    charset = part.get_content_charset()
    return charset if isinstance(charset, str) else None


def _is_html_name(name: str) -> bool:
    return name.lower().endswith((".htm", ".html", ".shtml", ".xhtml", ".xht"))
