"""Signs of mail that goes to many. Anybody can write them: alone they excuse nothing."""

import re
from collections.abc import Iterator

from services.classifier.domain.case import Case
from services.classifier.domain.known_hosts import FREE_MAIL
from services.classifier.domain.reasons import Reason, quote

_BULK_HEADERS = ("list-unsubscribe", "list-unsubscribe-post", "feedback-id")
_OPT_OUT = re.compile(
    r"\bunsubscribe\b|\bopt[- ]?out\b|manage (?:your )?(?:e-?mail )?(?:preferences|subscription)"
    r"|remove(?:d)? from (?:this|our|the) (?:mailing )?list|newsletter (?:abbestellen|abmelden)"
    r"|\babmelden\b|se d[ée]sabonner|d[ée]sinscri|darse de baja|cancelar (?:la )?suscripci"
    r"|uitschrijven|afmelden|cancelar (?:a )?inscri|disiscriv|cancella(?:re)? l'iscrizione",
    re.IGNORECASE,
)


def reasons(case: Case) -> Iterator[Reason]:
    """Yield what marks it as a mailing; a discussion on a list is none."""
    mail = case.mail
    if mail.header("list-post") or mail.header("list-id"):
        yield Reason("mailing_list", f"list {quote(mail.header('list-id') or 'without a name')}")
    for name in _BULK_HEADERS:
        if mail.header(name) and not mail.header("list-post"):
            yield Reason("bulk_header", f"carries {name}")
    if (mail.header("precedence") or "").strip().lower() == "bulk" and not mail.header("list-post"):
        yield Reason("bulk_header", "carries Precedence: bulk")
    if mail.header("list-unsubscribe") and _is_company(case):
        yield Reason(
            "proved_mailing", f"{quote(mail.author.domain)} is proved, and offers a way out"
        )
    opt_out = _OPT_OUT.search(mail.text)
    if opt_out and not mail.header("list-post"):
        yield Reason("opt_out_text", f"offers {quote(opt_out.group())}")


def _is_company(case: Case) -> bool:
    return case.is_author_proved and case.mail.author.domain not in FREE_MAIL
