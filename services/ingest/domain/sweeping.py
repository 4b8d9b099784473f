"""When raw mail that no entry names may be deleted.

A client gets its 250 only after the entry: what a crash left between storing and entering is
nobody's, and its report comes again, for a day or so. A key names the UTC day on which the mail
came in, so nothing is stored under a past day: mail that comes again gets today's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal

from libs.common.blobs.port import StoredBlob

#: After the end of a key's day. Storing and entering one message take minutes at most: the rest is
#: for clocks that differ, and for whoever wants to look first.
_SAFE_AGE = timedelta(days=2)

#: So many are no surprise, however small the store: messages that were on their way in a crash.
_FEW = 10
#: More than one of so many, and the book is the wrong one.
_ONE_OF = 100
#: Of one run: the keys are in memory until it is known how many there are.
_MOST = 100_000

Refusal = Literal["book_empty", "too_many"]


@dataclass(frozen=True, slots=True)
class BookState:
    """What the book of report keys says about itself."""

    #: By its own clock.
    now: datetime
    is_empty: bool


@dataclass(slots=True)
class Finding:
    """What one look at the store and the book has found."""

    #: That were looked at.
    days: Sequence[str]
    stored: int = 0
    orphans: int = 0
    #: The orphans by day; of too many, only the first.
    keys: dict[str, list[str]] = field(default_factory=dict)
    #: Days on which something stays that no entry names: too young, or not to be deleted.
    unsettled: set[str] = field(default_factory=set)

    def note(self, day: str, stored: int, unknown: Sequence[StoredBlob], before: datetime) -> None:
        """Note what a page of a day's listing holds, and what of it no entry names."""
        self.stored += stored
        old = [blob.key for blob in unknown if blob.modified_at < before]
        if len(old) < len(unknown):
            self.unsettled.add(day)
        if old:
            room = max(0, _MOST - self.orphans)
            self.keys.setdefault(day, []).extend(old[:room])
            self.orphans += len(old)


def safe_before(own_now: datetime, book_now: datetime) -> datetime:
    """Return the instant such that what was stored before it is on its way no more.

    By the clock that is behind: that of one replica may be wrong.
    """
    return min(own_now, book_now) - _SAFE_AGE


def is_over(day: date, before: datetime) -> bool:
    """Return whether a day (UTC) had ended before an instant."""
    return day < before.date()


def refusal(finding: Finding, book: BookState, at_most: int | None) -> Refusal | None:
    """Return why nothing may be deleted, or None.

    An empty book, another deployment's, or one from a backup knows little of what is stored, which
    is no reason to delete the mail. `at_most` is an operator's word in place of our guess.
    """
    if not finding.orphans:
        return None
    if book.is_empty:
        return "book_empty"
    allowed = max(_FEW, finding.stored // _ONE_OF) if at_most is None else at_most
    return "too_many" if finding.orphans > min(allowed, _MOST) else None


def settled(finding: Finding, *, is_removed: bool) -> list[str]:
    """Return the days on which nothing is left that no entry names."""
    left = finding.unsettled if is_removed else finding.unsettled | finding.keys.keys()
    return [day for day in finding.days if day not in left]
