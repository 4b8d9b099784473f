"""Where an answer would go."""

import re
from collections.abc import Iterator

from services.classifier.domain.case import Case
from services.classifier.domain.hosts import is_same_owner
from services.classifier.domain.known_hosts import FREE_MAIL
from services.classifier.domain.reasons import Reason, quote

_REPLY = re.compile(r"\s*(?:re|aw|sv|antw)\s*:", re.IGNORECASE)


def reasons(case: Case) -> Iterator[Reason]:
    """Yield an answer that leaves the sender's domain; lists and mailers do so, too: weak."""
    author = case.mail.author
    is_thread = case.mail.header("in-reply-to") or case.mail.header("references")
    if _REPLY.match(case.mail.subject) and not is_thread:
        yield Reason("reply_to_nothing", f"{quote(case.mail.subject)} answers no message")
    if not author.domain:
        return
    for address in case.mail.reply_to[:3]:
        if not address.domain or is_same_owner(address.domain, author.domain):
            if address.spec != author.spec and author.domain in FREE_MAIL and address.spec:
                yield Reason(
                    "reply_to_other_mailbox",
                    f"answers go to {quote(address.spec)}, not to {quote(author.spec)}",
                )
            continue
        is_free = address.domain in FREE_MAIL
        yield Reason(
            "reply_to_free_mail" if is_free else "reply_to_elsewhere",
            f"answers go to {quote(address.spec)}, not to {quote(author.spec)}",
        )
