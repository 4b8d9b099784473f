"""Walking a chain: are all its records there, in their places, as they were written?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from services.audit.domain.record import FORMAT, Head, Record, genesis, personal_hash, row_hash


class Difference(StrEnum):
    """What is wrong at the first place where a chain does not hold."""

    #: This number is not there: a record was removed from the middle, or renumbered.
    NUMBER_MISSING = "number_missing"
    #: It does not follow the record before it.
    PREVIOUS_HASH_DIFFERS = "previous_hash_differs"
    #: A property or the public bytes, or the row's own hash, were changed.
    CONTENT_DIFFERS = "content_differs"
    #: The personal bytes or their salt were changed (erasing them is no difference).
    PERSONAL_DIFFERS = "personal_differs"
    #: It was written by a recipe that this version does not know.
    FORMAT_UNKNOWN = "format_unknown"
    #: The chain ends before its head: its last records are gone.
    TAIL_MISSING = "tail_missing"
    #: The head names an earlier record, or another hash, than the last record has.
    HEAD_DIFFERS = "head_differs"
    #: There are records, but no head.
    HEAD_MISSING = "head_missing"


@dataclass(frozen=True, slots=True)
class Break:
    """Where a chain first fails, and how."""

    number: int
    difference: Difference


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What walking one chain has shown."""

    chain: str
    records: int
    #: Records whose personal bytes have been erased.
    erased: int
    #: The end as computed; keep it elsewhere, and a later cut of the tail and head shows, too.
    head: Head
    first_break: Break | None


@dataclass(frozen=True, slots=True)
class Verification:
    """The reports of all chains that were walked."""

    chains: tuple[ChainReport, ...]

    @property
    def is_intact(self) -> bool:
        """Return whether every chain holds."""
        return all(report.first_break is None for report in self.chains)

    @property
    def records(self) -> int:
        """Return how many records the chains have."""
        return sum(report.records for report in self.chains)


class ChainWalk:
    """Takes the records of one chain in the order of their numbers; memory does not grow."""

    def __init__(self, chain: str) -> None:
        self._end = genesis(chain)
        self._records = 0
        self._erased = 0
        self._break: Break | None = None

    def step(self, record: Record) -> None:
        """Check one record. After the first break the rest is only counted."""
        self._records += 1
        self._erased += record.is_erased
        if self._break is None:
            self._break = self._compare(record)
        if self._break is None:
            self._end = replace(self._end, number=record.link.number, row_hash=record.link.row_hash)

    def report(self, head: Head | None) -> ChainReport:
        """Return the result, given the head that the log keeps."""
        if self._break is None:
            self._break = self._compare_head(head)
        return ChainReport(self._end.chain, self._records, self._erased, self._end, self._break)

    def _compare(self, record: Record) -> Break | None:
        link, expected = record.link, self._end.number + 1
        if link.number != expected:
            return Break(expected, Difference.NUMBER_MISSING)
        if record.properties.format != FORMAT:
            return Break(expected, Difference.FORMAT_UNKNOWN)
        if link.previous_hash != self._end.row_hash:
            return Break(expected, Difference.PREVIOUS_HASH_DIFFERS)
        if link.row_hash != row_hash(
            self._end, record.properties, record.public, link.personal_hash
        ):
            return Break(expected, Difference.CONTENT_DIFFERS)
        hidden = record.hidden
        if hidden and personal_hash(hidden.salt, hidden.content) != link.personal_hash:
            return Break(expected, Difference.PERSONAL_DIFFERS)
        return None

    def _compare_head(self, head: Head | None) -> Break | None:
        number = self._end.number
        if head is None:
            return Break(number, Difference.HEAD_MISSING)
        if head.number > number:
            return Break(number + 1, Difference.TAIL_MISSING)
        return None if head == self._end else Break(number, Difference.HEAD_DIFFERS)


class LogWalk:
    """Walks all chains of the log at once; records of each must come in their order."""

    def __init__(self) -> None:
        self._walks: dict[str, ChainWalk] = {}

    def step(self, record: Record) -> None:
        """Check one record in its chain."""
        chain = record.link.chain
        if chain not in self._walks:
            self._walks[chain] = ChainWalk(chain)
        self._walks[chain].step(record)

    def verification(self, heads: Sequence[Head]) -> Verification:
        """Return the result, given the heads that the log keeps: one of them for each chain."""
        kept = {head.chain: head for head in heads}
        chains = sorted(kept.keys() | self._walks.keys())
        return Verification(
            tuple(
                self._walks.get(chain, ChainWalk(chain)).report(kept.get(chain)) for chain in chains
            )
        )
