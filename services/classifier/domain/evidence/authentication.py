"""What Exchange Online found, where it can be believed, and what we found ourselves."""

from collections.abc import Iterator

from services.classifier.domain.case import Case
from services.classifier.domain.reasons import Reason, quote
from services.classifier.domain.receiver import HARMFUL_CATEGORIES, SPAM_CATEGORIES

#: Spam confidence level from which Exchange Online calls a message spam; 9 is high confidence.
SPAM_LEVEL = 5
ENFORCED = frozenset({"quarantine", "reject", "oreject"})


def reasons(case: Case) -> Iterator[Reason]:
    """Yield findings on who sent it; silence of the DNS is none."""
    yield from _receiver(case)
    author = case.mail.author.domain
    yield from _form(case)
    if author and case.own.is_verified(author):
        yield Reason("signature_good", f"DKIM signature of {quote(author)} is good")
    elif author and case.own.policy in ENFORCED and author in case.own.failed:
        yield Reason(
            "signature_broken",
            f"DKIM signature of {quote(author)} does not fit, and it publishes p={case.own.policy}",
        )


def _receiver(case: Case) -> Iterator[Reason]:
    report = case.receiver
    if report.category in HARMFUL_CATEGORIES:
        meaning = HARMFUL_CATEGORIES[report.category]
        yield Reason("microsoft_harmful", f"Exchange Online: CAT:{report.category} ({meaning})")
    elif report.category in SPAM_CATEGORIES:
        yield Reason("microsoft_spam", f"Exchange Online: CAT:{report.category}")
    if report.scl is not None and report.scl >= SPAM_LEVEL:
        yield Reason("microsoft_spam", f"Exchange Online: SCL {report.scl}")
    if report.is_internal or case.about.is_own(case.mail.author.domain):
        return
    if report.is_failed and report.dmarc == "fail":
        is_enforced = report.dmarc_action in ENFORCED
        yield Reason(
            "dmarc_failed_enforced" if is_enforced else "dmarc_failed",
            f"Exchange Online could not prove {quote(case.mail.author.domain)}: {report.quote}",
        )
    elif report.is_failed:
        yield Reason("compauth_failed", f"Exchange Online: {report.quote}")


def _form(case: Case) -> Iterator[Reason]:
    """A From that names several people needs a Sender; one needs an address (RFC 5322 §3.6.2)."""
    mail = case.mail
    if len(mail.from_) > 1 and not mail.sender:
        yield Reason("several_authors", f"From has {len(mail.from_)} entries and no Sender")
    if mail.from_ and "." not in mail.author.domain:
        shown = mail.author.spec or mail.author.name
        yield Reason("author_without_domain", f"From is no address on the Internet: {quote(shown)}")
