"""One message, start to end: parse, look, weigh."""

from collections.abc import Collection

from services.classifier.domain import receiver, signatures
from services.classifier.domain.case import Case
from services.classifier.domain.circumstances import Circumstances
from services.classifier.domain.evidence import gather
from services.classifier.domain.mail import ParsedMail
from services.classifier.domain.parsing import header_block, headers_of, parse
from services.classifier.domain.reasons import Reason
from services.classifier.domain.receiver import ReceiverReport
from services.classifier.domain.verdict import Verdict, decide


def questions(raw: bytes) -> tuple[str, ...]:
    """Return the DNS names to look up before the message is judged."""
    return signatures.questions(headers_of(header_block(raw)))


def judge(raw: bytes, about: Circumstances) -> Verdict:
    """Return what the message is. Whatever the bytes are, there is a verdict."""
    mail = parse(raw)
    report = receiver.read(mail) if about.is_receiver_trusted else ReceiverReport()
    case = Case(mail, about, report, signatures.check(raw, mail, about.records))
    return decide((*_limits(mail), *gather(case)), failure=mail.failure)


def unread(failure: str) -> Verdict:
    """Return the verdict on a message that could not be evaluated."""
    return decide((_parse_failure(failure),), failure=failure)


def unparsed(flags: Collection[str]) -> Verdict:
    """Return the verdict on what ingest could not take apart: there is no original to judge."""
    named = ", ".join(sorted(flags)) or "no flag"
    reason = Reason("parse_failed", f"what was received could not be understood: {named}")
    return decide((reason,), failure="parse_failed")


def _limits(mail: ParsedMail) -> tuple[Reason, ...]:
    reasons = []
    if mail.failure:
        reasons.append(_parse_failure(mail.failure))
    if mail.truncated:
        reasons.append(Reason("body_truncated", f"beyond our bounds: {', '.join(mail.truncated)}"))
    return tuple(reasons)


def _parse_failure(failure: str) -> Reason:
    return Reason("parse_failure", f"the message could not be read: {failure}")
