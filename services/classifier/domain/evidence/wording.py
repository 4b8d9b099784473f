"""What the text wants of its reader, in several languages. Weak: groups add up, none decides."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources

import yaml

from services.classifier.domain.case import Case
from services.classifier.domain.confusables import fold_text
from services.classifier.domain.reasons import Reason, quote

#: A reader acts on what stands above the fold; long newsletters touch every topic further down.
MAX_CHARACTERS = 6_000
MANY = 3
VERY_MANY = 6
_BETWEEN_WORDS = re.compile(r"[^\w$%£€]+")
_SHOUTING = re.compile(r"[!?]{2,}|\${2,}|%%|!!")
MIN_SUBJECT_LETTERS = 10
_SYMBOLS = ("So", "Sk")
_MONEY = re.compile(
    r"(?:\$|us\$|usd|eur|£|€) ?\d{1,3}(?:[., ]\d{3}){2,4}|\d{1,9}(?:\.\d{1,3})? ?million"
)


def reasons(case: Case) -> Iterator[Reason]:
    """Yield the groups of phrases that occur, and how often."""
    subject, text = case.mail.subject, case.mail.text
    words = f" {_plain(f'{subject} {text[:MAX_CHARACTERS]}')} "
    for group, phrases in _groups().items():
        found = [phrase for phrase in phrases if _occurs(phrase, words)]
        if not found:
            continue
        detail = ", ".join(quote(phrase.strip()) for phrase in found[:3])
        yield Reason(f"wording_{group}", detail)
        if len(found) >= MANY:
            yield Reason(f"wording_{group}_many", f"{len(found)} such phrases")
        if len(found) >= VERY_MANY:
            yield Reason(f"wording_{group}_very_many", f"{len(found)} such phrases")
    yield from _manner(subject, words)


@cache
def _groups() -> Mapping[str, tuple[str, ...]]:
    """Return phrases by group, as they are compared."""
    source = resources.files(__package__).joinpath("phrases.yaml").read_text("utf-8")
    groups = yaml.safe_load(source)
    return {
        name: tuple(dict.fromkeys(_phrase(text) for texts in languages.values() for text in texts))
        for name, languages in groups.items()
    }


def _plain(text: str) -> str:
    """Return words with one blank between them, as phrases are compared."""
    return _BETWEEN_WORDS.sub(" ", fold_text(text)).strip()


def _phrase(text: str) -> str:
    return f" {_plain(text)}" + ("" if text.endswith("*") else " ")


def _occurs(phrase: str, words: str) -> bool:
    return phrase in words or (phrase[-1] == " " and f"{phrase[:-1]}s " in words)


def _manner(subject: str, words: str) -> Iterator[Reason]:
    letters = [letter for letter in subject if letter.isalpha()]
    if len(letters) >= MIN_SUBJECT_LETTERS and sum(c.isupper() for c in letters) > 0.8 * len(
        letters
    ):
        yield Reason("subject_in_capitals", quote(subject))
    if any(unicodedata.category(c) in _SYMBOLS for c in subject if not c.isascii()):
        yield Reason("subject_with_pictures", quote(subject))
    if _SHOUTING.search(subject):
        yield Reason("subject_shouts", quote(subject))
    money = _MONEY.search(words)
    if money:
        yield Reason("large_sum", quote(money.group()))
