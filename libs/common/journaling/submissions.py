"""Mail by which a user reports another mail: the report buttons of Outlook and of third parties.

Source: Microsoft, "User reported messages: format of submissions"; KnowBe4's Phish Alert Button.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from libs.common.journaling import mime, originals
from libs.common.journaling.addresses import domain_of, internet_addresses
from libs.common.journaling.copies import is_gateway_copy
from libs.common.journaling.journal import is_relabelled
from libs.common.journaling.mime import Entity
from libs.common.journaling.originals import FoundOriginal

Category = Literal["junk", "not_junk", "phish", "unknown"]

_PREFIX = re.compile(r"(?:([123])\||(junk|not junk|phishing):)", re.IGNORECASE)
_CATEGORIES: dict[str, Category] = {
    "1": "junk",
    "junk": "junk",
    "2": "not_junk",
    "not junk": "not_junk",
    "3": "phish",
    "phishing": "phish",
}
_BUTTON_SUBJECT = "[phish alert]"
_BUTTON_FILE = "phish_alert_"


@dataclass(frozen=True, slots=True)
class Submission:
    """A user's report, and the mail that it is about."""

    reporter: str
    category: Category
    reported: tuple[FoundOriginal, ...]


def open_submission(mail: Entity, domains: Collection[str] | None) -> Submission | None:
    """Return the report that a mail is, or None.

    Only people of the tenant report, and by themselves: anybody else would take their own mail
    out of the classification by dressing it up. `domains` None: not known, so any sender counts.
    """
    reporter = next(iter(internet_addresses(mail.headers.text("from") or "")), "")
    is_foreign = domains is not None and domain_of(reporter) not in domains
    if is_foreign or is_gateway_copy(mail.headers):
        return None
    parts = [part for part in mime.parts(mail).entities if is_relabelled(part)]
    category = _category(mail.headers.text("subject") or "", parts)
    if not parts or category is None:
        return None
    return Submission(reporter, category, tuple(originals.attached(part) for part in parts))


def _category(subject: str, parts: list[Entity]) -> Category | None:
    match = _PREFIX.match(subject)
    if match:
        return _CATEGORIES[(match.group(1) or match.group(2)).lower()]
    if subject.lower().startswith(_BUTTON_SUBJECT):
        return "phish"
    by_button = any(part.file_name.startswith(_BUTTON_FILE) for part in parts)
    return "unknown" if by_button else None
