"""What people ask the log for, and what they get."""

from dataclasses import dataclass
from datetime import datetime

from services.audit.domain.record import Mark, Record

DEFAULT_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Query:
    """A search: a record must meet all that is given."""

    chain: str | None = None
    section: str | None = None
    type: str | None = None
    disposition: str | None = None
    outcome: str | None = None
    publisher: str | None = None
    flag: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = DEFAULT_LIMIT
    #: At most one of a kind.
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A record with what search knows of it; the latter is None where it has to be rebuilt."""

    record: Record
    section: str | None
    disposition: str | None
    outcome: str | None

    @property
    def chain(self) -> str:
        """Return the chain that it stands in."""
        return self.record.link.chain

    @property
    def number(self) -> int:
        """Return its number in that chain."""
        return self.record.link.number
