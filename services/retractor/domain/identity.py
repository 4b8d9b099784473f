"""Is this item the message that was meant? A sender writes the Message-ID: it proves nothing."""

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import timedelta

from services.retractor.domain.mail import Fingerprint

#: Stores round the Date header, and some write it a second off.
DATE_TOLERANCE = timedelta(seconds=2)
#: Exchange cuts a subject there ([MS-OXCMSG], PidTagSubject).
_SUBJECT_CHARACTERS = 255
_MAX_TAGS_REMOVED = 20

IDENTITY_MISMATCH = "identity_mismatch"
AMBIGUOUS_COPY = "ambiguous_copy"


def same_from(one: Fingerprint, other: Fingerprint) -> bool:
    """Return whether both name the same From address; two without any are the same."""
    return one.from_address == other.from_address


def same_date(one: Fingerprint, other: Fingerprint) -> bool:
    """Return whether both carry the same Date, give or take the tolerance."""
    if one.sent_at is None or other.sent_at is None:
        return False
    return abs(one.sent_at - other.sent_at) <= DATE_TOLERANCE


def same_subject(one: Fingerprint, other: Fingerprint, tags: Sequence[str] = ()) -> bool:
    """Return whether both subjects are equal but for `tags`; an absent one equals an empty one."""
    return plain_subject(one.subject, tags) == plain_subject(other.subject, tags)


def plain_subject(subject: str | None, tags: Sequence[str] = ()) -> str:
    """Return the subject without the tenant's tags, white space folded, as long as stores keep."""
    text = _folded(subject or "")
    known = [_folded(tag) for tag in tags if tag.strip()]
    for _ in range(_MAX_TAGS_REMOVED):
        found = next((tag for tag in known if tag in text), None)
        if found is None:
            break
        text = _folded(text.replace(found, " ", 1))
    return text[:_SUBJECT_CHARACTERS]


def is_same_mail(expected: Fingerprint, found: Fingerprint, tags: Sequence[str] = ()) -> bool:
    """Return whether a copy with the right Message-ID is the mail that was meant."""
    return same_from(expected, found) and (
        same_date(expected, found) or same_subject(expected, found, tags)
    )


def singles_out(
    expected: Fingerprint,
    others: Iterable[Fingerprint],
    found: Fingerprint,
    tags: Sequence[str] = (),
) -> bool:
    """Return whether From, Date and Subject show `expected` and none of the `others`.

    For a Message-ID under which the tenant received several messages: there, two of three headers
    are not enough.
    """
    return is_exactly(expected, found, tags) and not any(
        is_exactly(other, found, tags) for other in others
    )


def is_exactly(expected: Fingerprint, found: Fingerprint, tags: Sequence[str] = ()) -> bool:
    """Return whether From, Date and Subject are all the expected ones."""
    return (
        same_from(expected, found)
        and same_date(expected, found)
        and same_subject(expected, found, tags)
    )


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())
