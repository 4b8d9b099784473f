"""Text made to be read by people and not by filters."""

import re
from collections.abc import Iterator

from services.classifier.domain.case import Case
from services.classifier.domain.confusables import scripts
from services.classifier.domain.reasons import Reason, quote

_SPLIT_WORD = re.compile(r"[A-Za-z][\u200b\u200c\u200d\u2060\u00ad\ufeff\u180e][A-Za-z]")
_MIXABLE = re.compile(r"[\u0370-\u052f\u0531-\u058a\u13a0-\u13ff]")
_WORD = re.compile(r"\w{1,64}")
_STYLED = re.compile(r"[\U0001d400-\U0001d7ff\uff21-\uff3a\uff41-\uff5a]{3,}")
_BIDI = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
_SPACED = re.compile(r"(?:(?<=\s)|^)(?:[^\W\d_] ){4,}[^\W\d_](?=\s|$)")
_PLACEHOLDER = re.compile(
    r"%%[a-z_]{3,30}%%|\{\{ ?[a-z_.]{0,20}(?:name|mail|unsubscribe)[a-z_.]{0,20} ?\}\}"
    r"|\[\[?(?:first|last|user|e?-?mail|name|domain)[a-z_ -]{0,20}\]"
    r"|\[#?(?:random|rnd)[a-z0-9_ -]{0,20}\]",
    re.IGNORECASE,
)
MIN_SPLIT_WORDS = 5
#: A newsletter's hidden preview line is shorter.
MIN_HIDDEN_WORDS = 80
MIN_MIXED_LETTERS = 3
MAX_CHARACTERS = 65_536


def reasons(case: Case) -> Iterator[Reason]:
    """Yield letters that are not what they look like."""
    mail = case.mail
    shown = f"{mail.author.name}\n{mail.subject}"
    if _BIDI.search(shown):
        yield Reason("direction_override", f"reverses its writing direction: {quote(shown)}")
    for place, text in (("headers", shown), ("text", mail.text)):
        mixed = _mixed_word(text)
        if mixed:
            yield Reason(f"mixed_scripts_in_{place}", f"mixes alphabets in {quote(mixed)}")
        if _STYLED.search(text):
            found = _STYLED.search(text)
            yield Reason(f"styled_letters_in_{place}", f"uses {quote(found[0] if found else '')}")
    if _SPLIT_WORD.search(shown) or len(_SPLIT_WORD.findall(mail.text)) >= MIN_SPLIT_WORDS:
        yield Reason("split_words", "invisible characters inside words")

    yield from _hidden(case)


def _hidden(case: Case) -> Iterator[Reason]:
    mail = case.mail
    spaced = _SPACED.search(mail.subject)
    if spaced:
        yield Reason("spaced_letters", f"spells {quote(spaced.group())}")
    hidden = sum(page.hidden_words for page in mail.pages)
    if hidden >= MIN_HIDDEN_WORDS:
        yield Reason("hidden_text", f"{hidden} words are styled away")
    left = _PLACEHOLDER.search(mail.subject) or _PLACEHOLDER.search(mail.text[:20_000])
    if left:
        yield Reason("unfilled_template", f"still shows {quote(left.group())}")


def _mixed_word(text: str) -> str | None:
    if not _MIXABLE.search(text):
        return None
    for word in _WORD.findall(text[:MAX_CHARACTERS]):
        if len(word) >= MIN_MIXED_LETTERS and _MIXABLE.search(word) and len(scripts(word)) > 1:
            return str(word)
    return None
