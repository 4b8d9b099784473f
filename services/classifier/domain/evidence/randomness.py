"""What makes each copy of a mailing different, so that filters do not recognise it."""

import re
from collections.abc import Iterator

from services.classifier.domain.case import Case
from services.classifier.domain.hosts import registered
from services.classifier.domain.reasons import Reason, quote

#: Out of sight behind blanks: what no form prints there.
_PADDED = re.compile(r"\S {6,}((?=\S*(?:\d|[b-df-hj-np-tv-xz]{4}))[\w-]{4,14})\s*\Z", re.IGNORECASE)
_LONG_WORD = re.compile(r"[a-z]{14,60}")
_VOWELS = re.compile(r"[aeiouy]")
_ALTERNATION = re.compile(r"(?<=\d)(?=[a-z])|(?<=[a-z])(?=\d)")
MAX_CHARACTERS = 65_536
#: German and Polish compounds stay below the first and above the second.
MIN_CONSONANTS_IN_A_ROW = 6
MAX_SHARE_OF_VOWELS = 0.28
MIN_LABEL_LENGTH = 8
MIN_ALTERNATIONS = 3


def reasons(case: Case) -> Iterator[Reason]:
    """Yield letters and digits that mean nothing to anybody."""
    mail = case.mail
    padded = _PADDED.search(mail.subject[:1000])
    if padded:
        yield Reason("padded_subject", f"the subject hides {quote(padded[1])} behind blanks")
    word = _random_word(mail.text[:MAX_CHARACTERS])
    if word:
        yield Reason("random_words", f"contains {quote(word)}")
    label = registered(mail.author.domain).partition(".")[0]
    if len(label) >= MIN_LABEL_LENGTH and len(_ALTERNATION.findall(label)) >= MIN_ALTERNATIONS:
        yield Reason("sender_random_domain", f"comes from {quote(mail.author.domain)}")


def _random_word(text: str) -> str | None:
    """Return the first one between blanks; what has dots or dashes is an address or a name."""
    for word in (each.strip(",;.!?()\"'") for each in text.split()):
        if not _LONG_WORD.fullmatch(word):
            continue
        longest = max(map(len, _VOWELS.split(word)))
        share = len(_VOWELS.findall(word)) / len(word)
        if longest >= MIN_CONSONANTS_IN_A_ROW and share < MAX_SHARE_OF_VOWELS:
            return word
    return None
