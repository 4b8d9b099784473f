"""Evidence: one module for each kind, each a pure function from a case to its reasons."""

from collections.abc import Callable, Iterator

from services.classifier.domain.case import Case
from services.classifier.domain.evidence import (
    archives,
    authentication,
    brands,
    concealment,
    documents,
    executables,
    html_attachments,
    impersonation,
    links,
    list_mail,
    randomness,
    replies,
    sender_lists,
    spoofing,
    wording,
)
from services.classifier.domain.reasons import Reason

Evidence = Callable[[Case], Iterator[Reason]]

EVIDENCE: tuple[Evidence, ...] = (
    sender_lists.reasons,
    authentication.reasons,
    spoofing.reasons,
    impersonation.reasons,
    brands.reasons,
    executables.reasons,
    documents.reasons,
    archives.reasons,
    html_attachments.reasons,
    links.reasons,
    replies.reasons,
    concealment.reasons,
    randomness.reasons,
    wording.reasons,
    list_mail.reasons,
)


def gather(case: Case) -> tuple[Reason, ...]:
    """Return all reasons, one for each code: the first one found."""
    found: dict[str, Reason] = {}
    for evidence in EVIDENCE:
        for reason in evidence(case):
            found.setdefault(reason.code, reason)
    return tuple(found.values())
