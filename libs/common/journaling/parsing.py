"""One received message, understood: the way in to everything else in this package."""

import hashlib
from collections.abc import Collection, Mapping

from libs.common.journaling import copies, journal, mime, originals, submissions
from libs.common.journaling.flags import Flag
from libs.common.journaling.journal import JournalReport
from libs.common.journaling.keys import digest, envelope_sha256
from libs.common.journaling.mail import Envelope, Extra, Kind, Original, ParsedMail
from libs.common.journaling.mime import Entity
from libs.common.journaling.originals import FoundOriginal
from libs.common.journaling.submissions import Submission


def as_carried(content: bytes) -> bytes:
    """Return a file's bytes as SMTP would carry them: a file without a CRLF has text line ends."""
    return content if b"\r\n" in content else content.replace(b"\n", b"\r\n")


def parse(raw: bytes, domains: Collection[str] | None = None) -> ParsedMail:
    """Understand a message as far as it can be; whatever the bytes are, there is an answer.

    Pure, and CPU-heavy for large mail. `domains` are those of the tenants that it was sent for;
    None where they are not known.
    """
    top = mime.entity(raw, 0, len(raw))
    report = journal.open_report(top)
    if report is not None:
        return _reported(raw, report)
    bounced = _bounced_report(top)
    if bounced is not None:
        return _reported(raw, bounced, Flag.VIA_NDR)
    if copies.is_validation(top.headers):
        return _plain(raw, "validation")
    submission = submissions.open_submission(top, domains)
    return _submitted(submission) if submission is not None else _plain(raw, "copy")


def unparsed(raw: bytes) -> ParsedMail:
    """Return what is known of a message that could not be parsed: its bytes."""
    sha256 = hashlib.sha256(raw).hexdigest()
    return ParsedMail(
        kind="unknown",
        original=Original(0, len(raw), sha256),
        content_sha256=digest("unparsed", sha256.encode()),
        envelope_sha256=envelope_sha256(Envelope()),
        flags=(Flag.PARSE_FAILED,),
    )


def _bounced_report(top: Entity) -> JournalReport | None:
    """Return the journal report that a non-delivery report gives back, or None.

    Only one that Exchange made: everybody can send something that looks like a bounce.
    """
    if top.content_type != "multipart/report":
        return None
    for part in mime.parts(top).entities:
        if part.content_type == "message/rfc822" and not part.encoding:
            report = journal.open_report(mime.entity(part.raw, part.body, part.end))
            if report is not None and report.is_made_by_exchange and report.originals:
                return report
    return None


def _reported(raw: bytes, report: JournalReport, *more: Flag) -> ParsedMail:
    """Return a journaled message; what cannot be trusted as a report is judged as it stands."""
    flags = report.flags.union(more)
    if report.is_doubtful:
        return _plain(raw, "copy", flags | {Flag.DOUBTFUL_JOURNAL})
    text = report.envelope
    is_complete = bool(report.originals) and text.is_readable
    if not report.originals:
        flags |= {Flag.ORIGINAL_MISSING}
    found = report.primary if is_complete else originals.whole(raw)
    if is_complete and journal.has_marker(found.message.headers):
        flags |= {Flag.NESTED_JOURNAL}
    return _described(
        "journal" if is_complete else "unknown",
        found,
        text.envelope(),
        flags=flags,
        extras=report.extras | text.all_extras() | _others(report.originals, found),
        subject=text.single.get("subject"),
        message_id=text.message_id,
        report=report,
    )


def _others(all_found: Collection[FoundOriginal], primary: FoundOriginal) -> dict[str, Extra]:
    """Return where the other originals are: a decrypted report carries the protected one, too."""
    others = [found for found in all_found if found is not primary]
    if not others:
        return {}
    place = others[0].original()
    return {
        "other_original": {
            "offset": place.offset,
            "size_bytes": place.size_bytes,
            "sha256": place.sha256,
        }
    }


def _submitted(submission: Submission) -> ParsedMail:
    """Return the mail that a user reports; its envelope is not known, and its reporter is."""
    several = {Flag.SEVERAL_ORIGINALS} if len(submission.reported) > 1 else set()
    return _described(
        "report",
        submission.reported[0],
        Envelope(sender=submission.reporter),
        flags=several,
        extras={"reporter": submission.reporter, "report_category": submission.category}
        | _others(submission.reported, submission.reported[0]),
    )


def _plain(raw: bytes, kind: Kind, flags: Collection[Flag] = ()) -> ParsedMail:
    """Return mail that is its own original."""
    found = originals.whole(raw)
    headers = found.message.headers
    all_flags = set(flags)
    if not copies.is_mail(headers):
        kind = "unknown"
        all_flags.add(Flag.NO_HEADERS)
    elif kind == "copy" and not copies.is_gateway_copy(headers):
        all_flags.add(Flag.NOT_A_JOURNAL)
    extras = {"originator_org": headers.text("x-originatororg")}
    return _described(kind, found, copies.envelope(headers), flags=all_flags, extras=extras)


def _described(
    kind: Kind,
    found: FoundOriginal,
    envelope: Envelope,
    *,
    flags: Collection[Flag],
    extras: Mapping[str, Extra],
    subject: str | None = None,
    message_id: str | None = None,
    report: JournalReport | None = None,
) -> ParsedMail:
    message = found.message
    headers = originals.key_headers(message)
    own_id = originals.message_id_of(message)
    all_flags = set(flags) | found.flags()
    if kind == "journal" and own_id and message_id and own_id != message_id:
        all_flags.add(Flag.MESSAGE_ID_MISMATCH)
    return ParsedMail(
        kind=kind,
        format=report.format if report else None,
        envelope=envelope,
        subject=subject if subject is not None else headers.subject,
        message_id=originals.bounded_message_id(message_id or own_id, all_flags),
        report_message_id=report.message_id if report else None,
        original=found.original(),
        content_sha256=found.content_sha256(),
        envelope_sha256=envelope_sha256(envelope),
        headers=headers,
        thread=originals.thread(message),
        flags=tuple(sorted(all_flags)),
        extras={**originals.extras(message), **extras},
    )
