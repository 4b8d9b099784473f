"""What the retractor keeps: one transaction at a time, so that a crash leaves all or nothing.

Every method raises `TransientError` (`database_unreachable`, `database_conflict`).
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from libs.common.broker.port import Message as Announcement
from libs.common.broker.publishing import Cause
from libs.common.contracts import Contract
from services.retractor.domain.desired import CopyState
from services.retractor.domain.mail import Message, Receipt
from services.retractor.domain.retraction import Copy, Retraction, Search, Trials

#: More messages than that under one Message-ID are no accident; nobody tells them apart.
MAX_MESSAGES = 100


class KnownMail(Protocol):
    """Who received what, as the journal says."""

    async def record(self, message: Message, receipts: Sequence[Receipt], report_key: str) -> None:
        """Keep a report; what is known already stays as it is."""

    async def messages(
        self, tenant: str, *, internet_message_id: str | None, message_key: str | None
    ) -> Sequence[Message]:
        """Return the messages with this key, or all with this Message-ID where there is no key.

        At most `MAX_MESSAGES`: as many may be more.
        """

    async def messages_received_by(
        self, tenant: str, internet_message_id: str, mailboxes: Sequence[str]
    ) -> Sequence[Message]:
        """Return the messages with this Message-ID that one of these addresses holds.

        An address with a tag (`ann+news@`) is that without it. At most `MAX_MESSAGES`.
        """

    async def receipts(self, tenant: str, message_keys: Sequence[str]) -> Sequence[Receipt]:
        """Return who received these messages."""


class Retractions(Protocol):
    """The commands."""

    async def get(
        self, tenant: str, retraction_id: UUID, *, locked: bool = False
    ) -> Retraction | None:
        """Return one; `locked` until the transaction ends."""

    async def enter(self, retraction: Retraction) -> None:
        """Enter a new one.

        Raises:
            PermanentError: `conflicting_retraction_id`: the id is taken.
        """

    async def put(self, retraction: Retraction) -> None:
        """Change status, round, message and terms of one that is there."""

    async def next_sequence(self) -> int:
        """Return the number of the next accepted command."""

    async def waiting_or_standing(self, message: Message, now: datetime) -> Sequence[Retraction]:
        """Return the retractions that a report of this message wakes or enlarges, oldest first."""

    async def overdue(self, now: datetime, limit: int) -> Sequence[Retraction]:
        """Return retractions that have waited in vain, locked; those locked by others are not."""


class Work(Protocol):
    """What is to be done in mailboxes for retractions. Entering work makes its mailbox due."""

    async def add_searches(self, searches: Sequence[Search], due_at: datetime) -> None:
        """Enter searches; one that is there (same mailbox, same message) stays as it is."""

    async def put_search(self, search: Search, due_at: datetime | None) -> None:
        """Keep a search's counts and when it is due again; None closes it, for good."""

    async def enter_copies(self, copies: Sequence[Copy], due_at: datetime) -> None:
        """Enter copies; one that is there stays as it is."""

    async def put_copy(self, copy: Copy, due_at: datetime | None) -> None:
        """Change a copy that is not settled; None: nothing more to do for it."""

    async def put_off(self, copy: Copy, trials: Trials, due_at: datetime) -> None:
        """Try a copy again later; how far the work has come stays as it is."""

    async def hasten(self, tenant: str, retraction_id: UUID, now: datetime) -> None:
        """Make all open work of a retraction due now."""


class Progress(Protocol):
    """How far a retraction has come."""

    async def copies(self, tenant: str, retraction_id: UUID) -> Sequence[Copy]:
        """Return its copies, in a stable order."""

    async def copy(self, copy: Copy) -> Copy | None:
        """Return a copy as it is now."""

    async def mailboxes(self, tenant: str, retraction_id: UUID) -> frozenset[str]:
        """Return the mailboxes that it has dealt with or will."""

    async def is_open(self, tenant: str, retraction_id: UUID) -> bool:
        """Return whether work is left."""

    async def counts(self, tenant: str, retraction_id: UUID) -> Mapping[str, int]:
        """Return how many copies ended how."""


class CopyStates(Protocol):
    """The one desired state per copy."""

    async def get(self, tenant: str, user_id: str, graph_message_id: str) -> CopyState | None:
        """Return it, locked until the transaction ends."""

    async def put(self, tenant: str, user_id: str, graph_message_id: str, state: CopyState) -> None:
        """Replace it."""


class Answers(Protocol):
    """What has been announced, so that a second run announces the same."""

    async def to(self, cause: Cause) -> Sequence[tuple[str, Contract]] | None:
        """Return (key, contract) of what a message led to; None: it has not been handled."""

    async def remember(self, cause: Cause, answers: Sequence[tuple[str, Contract]]) -> None:
        """Keep what a message led to, as its inbox row."""

    async def announce(self, announcements: Sequence[Announcement]) -> None:
        """Put announcements of the workers into the outbox."""


class Usage(Protocol):
    """What automatic retractions of a tenant have used of its limits."""

    async def of_last_hour(self, tenant: str, now: datetime) -> int:
        """Return the mailboxes counted; others who count for the tenant wait until we end."""

    async def count(self, tenant: str, now: datetime, mailboxes: int) -> None:
        """Add to them."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """The ledger within one transaction."""

    mail: KnownMail
    retractions: Retractions
    work: Work
    progress: Progress
    states: CopyStates
    answers: Answers
    usage: Usage


class Ledger(Protocol):
    """Opens transactions."""

    def transaction(
        self, tenant: str = "", subjects: Sequence[str] = ()
    ) -> AbstractAsyncContextManager[Transaction]:
        """Open one; `subjects` (Message-ID, message key) of the tenant are locked until it ends."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A mailbox that this worker alone works on until the lease ends."""

    tenant: str
    mailbox: str
    owner: UUID


class Schedule(Protocol):
    """Which mailbox is due, and who works on it: one worker per mailbox, in all replicas."""

    async def claim(self, limit: int, now: datetime, lease_seconds: float) -> Sequence[Visit]:
        """Lease mailboxes that are due, longest due first; each under an owner of its own."""

    async def due(
        self, visit: Visit, now: datetime, lease_seconds: float, limit: int
    ) -> tuple[Sequence[Search], Sequence[Copy]] | None:
        """Return work that is due in a leased mailbox, and prolong the lease; None: lost it."""

    async def prolong(self, visits: Sequence[Visit], now: datetime, lease_seconds: float) -> None:
        """Prolong leases that are still ours."""

    async def release(self, visit: Visit, paused_until: datetime | None = None) -> None:
        """Give the mailbox back, due again when its next work is, or when the pause ends.

        New work does not shorten a pause.
        """


class Outbox(Protocol):
    """Announcements on their way out."""

    def batch(self, limit: int) -> AbstractAsyncContextManager[Sequence[Announcement]]:
        """Give the oldest that have not been published yet; they are if the body ends well.

        To one process at a time: another one is given none meanwhile.
        """

    async def forget(self, before: datetime) -> None:
        """Remove what was published, answered or counted before: no redelivery needs it."""


class DirectoryCache(Protocol):
    """What we remember of a mailbox between visits."""

    async def user_id(self, tenant: str, mailbox: str, not_before: datetime) -> str | None:
        """Return the user id learned since `not_before`."""

    async def folders(self, tenant: str, mailbox: str) -> Mapping[str, str]:
        """Return the known ids of well-known folders, by name."""

    async def remember(
        self, tenant: str, mailbox: str, user_id: str, folders: Mapping[str, str], now: datetime
    ) -> None:
        """Add to what is known."""
