"""What every worker works with."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from libs.common.broker.port import Message as Announcement
from libs.common.broker.port import Publisher
from libs.common.broker.publishing import CausedPublish
from libs.common.clock import Clock
from libs.common.contracts import Contract
from services.retractor.domain.retraction import Retraction
from services.retractor.ports.ledger import DirectoryCache, Ledger, Outbox, Schedule
from services.retractor.ports.mailboxes import Mailboxes
from services.retractor.ports.rules import Rules
from services.retractor.workers.complaints import Complaints
from services.retractor.workers.protection import Protection

APP_ID = "undeliver-retractor"


class Bell:
    """Wakes a loop that has nothing to do."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake the loop; if it is busy, it looks once more before it waits."""
        self._event.set()

    async def wait(self) -> None:
        """Return at the next ring, or at once if there was one since the last wait."""
        await self._event.wait()
        self._event.clear()


@dataclass(frozen=True, slots=True)
class Pace:
    """How hard and how long the workers try."""

    #: Mailboxes that are worked on at the same time.
    mailboxes_at_once: int = 32
    #: After this without a sign of life a mailbox is another worker's.
    lease_seconds: float = 15.0
    #: How often loops look for work that nobody told them of.
    poll_seconds: float = 0.5
    #: How often overdue retractions are looked for.
    expiry_poll_seconds: float = 5.0
    #: When to look again for a copy that is not there: the report may be faster than the mail.
    late_looks_seconds: tuple[float, ...] = (2.0, 10.0, 60.0)
    #: Work is given up after so many failures, and so long after the first of them.
    max_attempts: int = 8
    give_up_seconds: float = 2100.0
    #: Throttling says nothing about the work itself, so it is given more patience.
    max_throttles: int = 100
    backoff_seconds: float = 1.0
    max_backoff_seconds: float = 300.0
    #: After this a copy is looked at anew before it is moved: its user may have moved it.
    stale_seconds: float = 10.0
    #: How long the user behind an address is taken for granted.
    directory_seconds: float = 86_400.0

    def retry_at(self, now: datetime, attempt: int) -> datetime:
        """Return when to try again after `attempt` failures: exponential, with full jitter."""
        ceiling = min(self.max_backoff_seconds, self.backoff_seconds * 2 ** min(attempt, 20))
        jitter = random.uniform(0.1, 1.0)  # noqa: S311 - spreads load, guards no secret
        return now + timedelta(seconds=ceiling * jitter)

    def at_the_latest(self, now: datetime) -> datetime:
        """Return when to try again after the longest pause."""
        return now + timedelta(seconds=self.max_backoff_seconds)


@dataclass(frozen=True, slots=True)
class Bench:
    """The workers' ports, and the bells that wake them."""

    ledger: Ledger
    schedule: Schedule
    outbox: Outbox
    cache: DirectoryCache
    mailboxes: Mailboxes
    rules: Rules
    publisher: Publisher
    clock: Clock
    protection: Protection
    complaints: Complaints
    pace: Pace = field(default_factory=Pace)
    work_bell: Bell = field(default_factory=Bell)
    outbox_bell: Bell = field(default_factory=Bell)

    def subject_tags(self, tenant: str) -> tuple[str, ...]:
        """Return what the tenant's own rules may have added to subjects."""
        known = self.rules.tenant(tenant)
        return () if known is None else known.subject_tags

    def announcements(
        self, retraction: Retraction, contracts: Sequence[Contract], key: str
    ) -> list[Announcement]:
        """Return what follows from a retraction as messages, under ids that repeat."""
        caused = CausedPublish(self.publisher, retraction.cause, clock=self.clock, app_id=APP_ID)
        return caused.messages(contracts, f"{retraction.retraction_id}/{key}")
