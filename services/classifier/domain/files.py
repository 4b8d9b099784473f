"""A file that a person gives us: a message as it is, or a report with a message inside.

Nobody has proved where a file comes from. Whoever sends mail can dress it up as a report, so that
the wrapper hides what a reader sees, or excuses the message inside with headers that only Microsoft
writes. Therefore a wrapper may make a verdict graver, and never milder.
"""

from dataclasses import replace

from libs.common.contracts.mail import Disposition
from libs.common.journaling import mail as journaling
from libs.common.journaling.parsing import as_carried, parse
from services.classifier.domain.circumstances import Circumstances
from services.classifier.domain.evaluation import judge
from services.classifier.domain.reasons import Reason
from services.classifier.domain.verdict import Verdict, worse

_WITH_AN_ORIGINAL = frozenset(("journal", "report"))
_HARMLESS = frozenset((Disposition.BULK, Disposition.NONE))


def judge_file(content: bytes, about: Circumstances) -> Verdict:
    """Return what the message in a file is; of a journal report or a user's report, the original.

    Microsoft's headers in the original of an Exchange Online report count only against it, unless
    the receiver is trusted. The report around it is judged as the mail that it may be, too.
    """
    raw = as_carried(content)
    parsed = parse(raw)
    if parsed.kind not in _WITH_AN_ORIGINAL:
        return judge(raw, about)
    original = _original(raw, parsed.original)
    if parsed.kind == "journal":
        about = replace(about, envelope_sender=parsed.envelope.sender)
    verdict = judge(original, about)
    if parsed.kind == "journal" and parsed.format == "exchange_online":
        verdict = worse(verdict, judge(original, replace(about, is_receiver_trusted=True)))
    untrusted = replace(about, is_receiver_trusted=False, envelope_sender=None)
    around = judge(_around(raw, parsed.original), untrusted)
    return verdict if around.disposition in _HARMLESS else worse(verdict, _marked(around))


def _original(raw: bytes, place: journaling.Original) -> bytes:
    if place.decoded is not None:
        return place.decoded
    return raw[place.offset : place.offset + place.size_bytes]


def _around(raw: bytes, place: journaling.Original) -> bytes:
    """Return a report without its original; where that was encoded, its text stays."""
    if place.decoded is not None:
        return raw
    return raw[: place.offset] + raw[place.offset + place.size_bytes :]


def _marked(around: Verdict) -> Verdict:
    reason = Reason("around_the_original", "found in the report itself, not in its original")
    return replace(around, reasons=(*around.reasons, reason))
