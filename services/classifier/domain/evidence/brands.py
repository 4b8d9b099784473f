"""Well-known senders: the display name says one, the address belongs to somebody else."""

import re
from collections.abc import Iterator

from services.classifier.domain.case import Case
from services.classifier.domain.confusables import folded
from services.classifier.domain.hosts import registered
from services.classifier.domain.known_brands import BRANDS, GENERIC_WORDS
from services.classifier.domain.reasons import Reason, quote

_BETWEEN_WORDS = re.compile(r"[^\w&]+")
MAX_WORDS = 6


def reasons(case: Case) -> Iterator[Reason]:
    """Yield a borrowed name; the tenant itself may be called like a brand."""
    author = case.mail.author
    if not author.domain or case.about.is_own(author.domain):
        return
    brand = _brand(author.name)
    if brand and not _belongs_to(author.domain, brand):
        yield Reason("brand_as_name", f"{quote(author.name)} is not {quote(author.spec)}")


def _brand(name: str) -> str | None:
    """Return the brand that a name consists of, but for words that mean nothing."""
    words = _BETWEEN_WORDS.sub(" ", folded(name)).split()
    if len(words) > MAX_WORDS:
        return None
    for start in range(len(words)):
        for end in range(start + 1, min(start + 3, len(words)) + 1):
            rest = {*words[:start], *words[end:]}
            if " ".join(words[start:end]) in BRANDS and rest <= GENERIC_WORDS:
                return " ".join(words[start:end])
    return None


def _belongs_to(domain: str, brand: str) -> bool:
    owner = registered(domain)
    plain = re.sub(r"\W", "", brand)
    return owner.partition(".")[0].replace("-", "") == plain or owner in BRANDS[brand]
