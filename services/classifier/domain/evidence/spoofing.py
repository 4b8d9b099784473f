"""Mail that says it comes from the tenant itself, and does not."""

from collections.abc import Iterator

from services.classifier.domain.case import Case
from services.classifier.domain.reasons import Reason, quote


def reasons(case: Case) -> Iterator[Reason]:
    """Yield a reason where From is in an own domain and the mail came from elsewhere."""
    author = case.mail.author
    if not case.about.is_own(author.domain) or case.receiver.is_internal:
        return
    if case.is_authenticated:
        return
    report = case.receiver
    if case.about.is_receiver_trusted:
        if report.is_failed or _is_unproved(case):
            yield Reason(
                "own_domain_spoofed",
                f"From {quote(author.spec)} is ours, but came from outside unproved: "
                f"{report.quote}",
            )
        return
    yield from _by_envelope(case)


def _is_unproved(case: Case) -> bool:
    """Say whether Exchange Online took it from outside and found no proof for an own domain."""
    report = case.receiver
    return bool(report.spf or report.dkim) and "pass" not in (report.spf, report.dkim)


def _by_envelope(case: Case) -> Iterator[Reason]:
    """Without a trusted receiver: a foreign reverse-path and no signature that might be good."""
    author = case.mail.author
    domain = (case.about.envelope_sender or "").rpartition("@")[2].lower()
    if not domain or case.about.is_own(domain) or case.own.is_open(author.domain):
        return
    yield Reason(
        "own_domain_foreign_sender",
        f"From {quote(author.spec)} is ours, but {quote(domain)} sent it and nothing proves it",
    )
