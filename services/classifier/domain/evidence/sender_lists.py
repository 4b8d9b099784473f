"""The tenant's own lists of senders."""

from collections.abc import Iterator

from services.classifier.domain.case import Case
from services.classifier.domain.hosts import is_within
from services.classifier.domain.known_hosts import FREE_MAIL
from services.classifier.domain.reasons import Reason, quote


def reasons(case: Case) -> Iterator[Reason]:
    """Blocked is blocked; allowed counts only for a sender whose domain is proved."""
    author = case.mail.author.spec
    senders = [one for one in (author, (case.about.envelope_sender or "").lower()) if one]
    for sender in senders:
        entry = _listed(sender, case.about.blocked_senders)
        if entry:
            yield Reason("sender_blocked", f"{quote(sender)} is on the block list ({entry})")
    if len(case.mail.from_) == 1:
        yield from _allowed(case, author)


def _allowed(case: Case, author: str) -> Iterator[Reason]:
    """A listed domain answers for what it signs and sends, in whoever's name: lists, services."""
    entry = _listed(author, case.about.allowed_senders)
    if entry and case.is_authenticated:
        yield Reason("sender_allowed", f"{quote(author)} is proved and on the allow list ({entry})")
        return
    for domain in case.proved_domains:
        sender = None if domain in FREE_MAIL else _listed(domain, case.about.allowed_senders)
        if sender:
            yield Reason("sender_allowed", f"{quote(domain)}, on the allow list, provably sent it")
            return
    if entry:
        yield Reason(
            "allowed_sender_unproved",
            f"{quote(author)} is on the allow list ({entry}), but nothing proves that it sent this",
        )


def _listed(sender: str, entries: tuple[str, ...]) -> str | None:
    domain = sender.rpartition("@")[2]
    for entry in entries:
        plain = entry.strip().lower().lstrip("@")
        if plain and (sender == plain if "@" in plain else is_within(domain, plain)):
            return plain
    return None
