"""One stay at one mailbox: what is due there is done, two pieces of work at a time."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from libs.common.contracts.retraction import Outcome
from libs.common.errors import PermanentError, TransientError
from services.retractor.domain.retraction import Copy, CopyProgress, Search, Trials
from services.retractor.ports.ledger import Visit
from services.retractor.workers.attempts import Attempt, PausedError, is_of_ledger, make
from services.retractor.workers.bench import Bench
from services.retractor.workers.errands import Errand
from services.retractor.workers.place import Place
from services.retractor.workers.removing import end_if_moved, remove
from services.retractor.workers.returning import bring_home, end_if_home
from services.retractor.workers.searching import search
from services.retractor.workers.settling import close_search, settle

_log = structlog.get_logger()

_AT_ONCE = 2
#: Little at a time: leases are checked between one handful and the next.
_PER_LOOK = 8
LEDGER_INCOMPLETE = "ledger_incomplete"


@dataclass(slots=True)
class MailboxVisit:
    """A visit of one worker."""

    bench: Bench
    visit: Visit
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    _locks: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _broken_off: list[PausedError | TransientError] = field(default_factory=list)

    async def run(self) -> None:
        """Do what is due until nothing is, or the lease is lost.

        Raises:
            PausedError: throttled.
            TransientError: of the ledger.
        """
        bench, place = self.bench, Place(self.bench, self.visit)
        while not self._broken_off:
            due = await bench.schedule.due(
                self.visit, bench.clock.now(), bench.pace.lease_seconds, _PER_LOOK
            )
            if due is None or not (due[0] or due[1]):
                return
            searches, copies = due
            async with asyncio.TaskGroup() as tasks:
                for copy in copies:
                    tasks.create_task(self._make(self._on_copy(place, copy), copy))
                for wanted in searches:
                    tasks.create_task(self._make(self._on_search(place, wanted), wanted))
        raise _weightiest(self._broken_off)

    async def _make(self, attempt: Attempt, about: Copy | Search) -> None:
        """Make an attempt in its turn. A pause lets those that have begun come to their end."""
        key = about.graph_message_id if isinstance(about, Copy) else None
        # Two retractions of one copy take turns: each reads what the other has wished.
        async with self._locks[key or str(id(about))], self._slots:
            if self._broken_off:
                return
            try:
                await make(self.bench, attempt)
            except (PausedError, TransientError) as error:
                self._broken_off.append(error)

    def _on_search(self, place: Place, wanted: Search) -> Attempt:
        bench = self.bench

        async def put_off(trials: Trials, until: datetime) -> None:
            async with bench.ledger.transaction() as ledger:
                await ledger.work.put_search(replace(wanted, trials=trials), until)

        async def give_up(reason: str) -> None:
            await close_search(bench, wanted, Outcome.FAILED, reason)

        at = (wanted.tenant, wanted.retraction_id)
        return Attempt(lambda: search(bench, place, wanted), wanted.trials, put_off, give_up, *at)

    def _on_copy(self, place: Place, copy: Copy) -> Attempt:
        bench = self.bench

        async def put_off(trials: Trials, until: datetime) -> None:
            async with bench.ledger.transaction() as ledger:
                await ledger.work.put_off(copy, trials, until)

        async def give_up(reason: str) -> None:
            try:
                await self._resign(place, copy, reason)
            except TransientError as error:
                if is_of_ledger(error):
                    raise
                # It may have been moved, and nobody can look: as long as that is so, we come back.
                await put_off(copy.trials, bench.pace.at_the_latest(bench.clock.now()))

        at = (copy.tenant, copy.retraction_id)
        return Attempt(self._work_on(place, copy), copy.trials, put_off, give_up, *at)

    def _work_on(self, place: Place, copy: Copy) -> Callable[[], Awaitable[None]]:
        if copy.outcome is not None:
            return lambda: self._settle_as_known(place, copy, copy.outcome)
        return lambda: self._move(place, copy)

    async def _settle_as_known(self, place: Place, copy: Copy, outcome: Outcome | None) -> None:
        names = await place.names_of([copy.folder_before]) if copy.folder_before else {}
        await settle(
            self.bench,
            copy,
            outcome or Outcome.FAILED,
            copy.reason,
            folder_after=copy.folder_before,
            names=names,
        )

    async def _move(self, place: Place, copy: Copy) -> None:
        errand = await self._errand(place, copy)
        if errand is None:
            await settle(self.bench, copy, Outcome.FAILED, LEDGER_INCOMPLETE)
        elif errand.retraction.kind == "retract":
            await remove(errand)
        else:
            await bring_home(errand)

    async def _errand(self, place: Place, copy: Copy) -> Errand | None:
        async with self.bench.ledger.transaction() as ledger:
            retraction = await ledger.retractions.get(copy.tenant, copy.retraction_id)
        if retraction is None or copy.graph_message_id is None:
            return None
        mailbox = await place.mailbox()
        return Errand(self.bench, place, retraction, mailbox, copy, copy.graph_message_id)

    async def _resign(self, place: Place, copy: Copy, reason: str) -> None:
        """Report a failure; where a move may have happened all the same, look first.

        Raises:
            TransientError: nobody can tell now.
        """
        async with self.bench.ledger.transaction() as ledger:
            copy = await ledger.progress.copy(copy) or copy
        if copy.progress is CopyProgress.ACTING:
            try:
                errand = await self._errand(place, copy)
                if errand is not None and await _has_ended(errand):
                    return
            except PermanentError as error:  # then looking later shows no more
                _log.warning("failed_copy_not_seen", reason=error.reason)
        await settle(self.bench, copy, Outcome.FAILED, reason)


async def _has_ended(errand: Errand) -> bool:
    """Settle a copy that is where it was to go after all; return whether it is."""
    end = end_if_moved if errand.retraction.kind == "retract" else end_if_home
    return await end(errand)


def _weightiest(failures: list[PausedError | TransientError]) -> PausedError | TransientError:
    """Return what decides how the visit ends: the longest pause before anything else."""
    pauses = [one for one in failures if isinstance(one, PausedError)]
    return max(pauses, key=lambda pause: pause.seconds) if pauses else failures[0]
