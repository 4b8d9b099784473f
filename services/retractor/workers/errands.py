"""What the workers carry with them on the way to one copy and back."""

from dataclasses import dataclass
from datetime import timedelta

from libs.common.contracts.retraction import Destination, Outcome
from services.retractor.domain.mail import Mailbox
from services.retractor.domain.retraction import Copy, Retraction
from services.retractor.workers.bench import Bench
from services.retractor.workers.place import FOLDER_OF, Place
from services.retractor.workers.settling import Landed, settle

USER_DELETED = "user_deleted"
FOLDER_MISSING = "folder_missing"


@dataclass(frozen=True, slots=True)
class Errand:
    """One copy on its way out."""

    bench: Bench
    place: Place
    retraction: Retraction
    mailbox: Mailbox
    copy: Copy
    graph_message_id: str
    #: An earlier attempt may have been carried out: its answer never came, or we crashed.
    unsure: bool = False

    @property
    def destination(self) -> Destination:
        """Where the copy is to go."""
        return self.retraction.wish.destination

    @property
    def is_stale(self) -> bool:
        """Whether the copy was found a while ago: then its user may have moved or read it."""
        trials, found_at = self.copy.trials, self.copy.found_at
        if trials.failures or trials.throttles:
            return True
        age = timedelta(0) if found_at is None else self.bench.clock.now() - found_at
        return age.total_seconds() > self.bench.pace.stale_seconds

    async def settle(
        self,
        outcome: Outcome,
        reason: str | None = None,
        *,
        folder_after: str | None = None,
        landed: Landed | None = None,
    ) -> None:
        """Write and announce the outcome, with folders by their names."""
        names = dict(await self.place.names_of([self.copy.folder_before]))
        after = None if outcome is Outcome.ABSENT else self.copy.folder_before
        if outcome is Outcome.MOVED:
            name = FOLDER_OF[self.destination].value
            after = folder_after or name
            names[after] = name
        await settle(
            self.bench, self.copy, outcome, reason, folder_after=after, landed=landed, names=names
        )
