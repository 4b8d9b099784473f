"""Journal reports: how they are known, and where in them the original is.

Source: [MS-XJRNL]; Exchange 2003 and Amazon WorkMail as their reports show.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from libs.common.journaling import mime, originals
from libs.common.journaling.envelope import EnvelopeText, read_envelope
from libs.common.journaling.flags import Flag
from libs.common.journaling.headers import Headers
from libs.common.journaling.limits import MAX_DELIMITERS, MAX_ENVELOPE_BYTES, MAX_EXTRA_CHARS
from libs.common.journaling.mail import Extra, Format
from libs.common.journaling.mime import Delimiter, Entity
from libs.common.journaling.originals import FoundOriginal
from libs.common.journaling.text import decoded

#: Any value counts, an empty one above all: that is how Exchange writes it.
_MARKERS = ("x-ms-journal-report", "x-ms-exchange-organization-journal-report")
#: Exchange 2003; the second is how some products misspell it.
_MARKERS_2003 = ("content-identifier", "content-identifer")
_MARKER_WORKMAIL = "x-wm-journal-report"
#: What Exchange Online stamps on its reports, and an own server does not.
_ONLINE_HEADERS = ("x-originatororg", "x-ld-processed", "x-ms-traffictypediagnostic")
_ONLINE_DOMAIN = ".onmicrosoft.com"
_REPORT_ID_DOMAIN = "@journal.report.generator>"
#: The system mailbox that sends reports; the same in every organisation.
_SYSTEM_SENDER = "microsoftexchange329e71ec88ae4615bbc36ab6ce41109e@"
#: Deep enough for Exchange 2003, which wraps the text in a multipart/alternative.
_MAX_TEXT_DEPTH = 3
#: Of a part inside a report; there can be thousands of lookalikes.
_MAX_PART_HEADER_BYTES = 4096


@dataclass(frozen=True, slots=True)
class JournalReport:
    """A report taken apart. Without an original it is not to be trusted as one."""

    format: Format
    envelope: EnvelopeText
    originals: tuple[FoundOriginal, ...]
    flags: frozenset[Flag]
    #: Where Exchange made it.
    message_id: str | None
    is_made_by_exchange: bool
    extras: dict[str, Extra]

    @property
    def is_doubtful(self) -> bool:
        """Whether its text holds more than fields, which Exchange never writes.

        Somebody may hide behind a marker what people would see; judge the wrapper then.
        """
        return Flag.STRAY_TEXT in self.flags and not self.is_made_by_exchange

    @property
    def primary(self) -> FoundOriginal:
        """The original that can be read: a decrypted report carries the protected one, too."""
        readable = (each for each in self.originals if not each.is_protected)
        return next(readable, self.originals[0])


def has_marker(headers: Headers) -> bool:
    """Return whether a header block claims to be a journal report's. Anybody can write one."""
    return _format(headers) is not None


def _is_made_by_exchange(headers: Headers) -> bool:
    """Return whether the report carries the names that Exchange's journal agent uses."""
    sender = (headers.text("sender") or "").lower()
    return _report_message_id(headers) is not None or _SYSTEM_SENDER in sender


def _report_message_id(headers: Headers) -> str | None:
    """Return the Message-ID that Exchange gave the report, or None."""
    message_id = (headers.text("message-id") or "").strip()
    is_made = message_id.lower().endswith(_REPORT_ID_DOMAIN)
    return message_id if is_made and len(message_id) <= MAX_EXTRA_CHARS else None


def open_report(report: Entity) -> JournalReport | None:
    """Take a journal report apart; None where the mail carries no marker."""
    kind = _format(report.headers)
    if kind is None:
        return None
    flags: set[Flag] = {Flag.HEADER_TOO_LARGE} if report.headers.truncated else set()
    text, attached = _sections(report, flags)
    envelope = _envelope(text, flags)
    found = [originals.attached(part) for part in attached]
    if len(found) > 1:
        protected = any(each.is_protected for each in found)
        flags.add(Flag.PROTECTED_COPY if protected else Flag.SEVERAL_ORIGINALS)
    if kind == "exchange_2003":
        flags.add(Flag.LEGACY)
    return JournalReport(
        format=_exact_format(kind, report.headers, found),
        envelope=envelope,
        originals=tuple(found),
        flags=frozenset(flags | envelope.flags),
        message_id=_report_message_id(report.headers),
        is_made_by_exchange=_is_made_by_exchange(report.headers),
        extras=_extras(report.headers),
    )


def _format(headers: Headers) -> Format | None:
    if any(marker in headers for marker in _MARKERS):
        return "exchange_online"
    for marker in _MARKERS_2003:
        if (headers.text(marker) or "").strip().lower() == "exjournalreport":
            return "exchange_2003"
    return "workmail" if _MARKER_WORKMAIL in headers else None


def _exact_format(kind: Format, headers: Headers, found: Sequence[FoundOriginal]) -> Format:
    if kind != "exchange_online" or any(header in headers for header in _ONLINE_HEADERS):
        return kind
    if _ONLINE_DOMAIN in (headers.text("sender") or "").lower():
        return kind
    stamped = (each.message.headers for each in found)
    if any("x-eoptenantattributedmessage" in inner for inner in stamped):
        return kind
    return "exchange_onprem"


def _extras(headers: Headers) -> dict[str, Extra]:
    names = {
        "originator_org": "x-originatororg",
        "system_sender": "sender",
        "parent": "x-ms-exchange-parent-message-id",
        "tenant_processed": "x-ld-processed",
    }
    return {
        name: (headers.text(header) or "")[:MAX_EXTRA_CHARS] or None
        for name, header in names.items()
    }


def _sections(report: Entity, flags: set[Flag]) -> tuple[Entity | None, list[Entity]]:
    """Return the report's text part and the parts that carry the original."""
    lines = mime.delimiters(report)
    if len(lines) < 2 or lines[0].closes:
        return None, []
    text = mime.entity(report.raw, lines[0].end, max(lines[0].end, lines[1].start))
    if lines[1].closes:
        return text, []
    later = _later_parts(report, lines[1:], flags)
    messages = [part for part in later if part.content_type == "message/rfc822"]
    if not messages:
        messages = [part for part in later if is_relabelled(part)]
        flags.update({Flag.RELABELLED_ORIGINAL} if messages else ())
    if len(messages) < len(later):
        flags.add(Flag.EXTRA_PART)
    return text, messages


def _later_parts(report: Entity, lines: Sequence[Delimiter], flags: set[Flag]) -> list[Entity]:
    """Return the parts after the text part; a boundary repeated inside of one does not end it.

    The last closing delimiter is the report's own. What stands between delimiters is a part of its
    own only if it says what it is, and if nothing inside closes the same boundary, too.
    """
    closing = [line for line in lines if line.closes]
    end = closing[-1].start if closing else report.end
    if not closing:
        flags.add(Flag.MISSING_CLOSE_BOUNDARY)
    if len(lines) >= MAX_DELIMITERS - 1:
        flags.add(Flag.TOO_MANY_PARTS)
    begins = [lines[0].end]
    ends = []
    for line in lines[1:]:
        if closing and line is closing[-1]:
            break
        if len(closing) > 1 or line.closes or not _declares_type(report, line.end, end):
            flags.add(Flag.AMBIGUOUS_BOUNDARY)
            continue
        ends.append(line.start)
        begins.append(line.end)
    ends.append(end)
    return [
        mime.entity(report.raw, begin, max(begin, stop))
        for begin, stop in zip(begins, ends, strict=True)
    ]


def _declares_type(report: Entity, start: int, end: int) -> bool:
    stop = max(start, min(end, start + _MAX_PART_HEADER_BYTES))
    return "content-type" in mime.entity(report.raw, start, stop).headers


def is_relabelled(part: Entity) -> bool:
    """Return whether a part holds a message, though a relay or a tool calls it something else."""
    if part.content_type == "message/rfc822" or part.file_name.endswith(".eml"):
        return True
    if part.content_type != "application/octet-stream":
        return False
    names = originals.attached(part).message.headers.values
    return "from" in names and ("received" in names or "subject" in names)


def _envelope(text: Entity | None, flags: set[Flag]) -> EnvelopeText:
    part = _plain_text(text, _MAX_TEXT_DEPTH) if text else None
    if part is None or part.end - part.body > MAX_ENVELOPE_BYTES:
        flags.add(Flag.ENVELOPE_UNREADABLE)
        return EnvelopeText()
    return read_envelope(decoded(part.content(), part.parameters.get("charset")))


def _plain_text(part: Entity, depth: int) -> Entity | None:
    if part.content_type == "text/plain":
        return part
    if depth and part.content_type.startswith("multipart/"):
        for inner in mime.parts(part).entities:
            found = _plain_text(inner, depth - 1)
            if found:
                return found
    return None
