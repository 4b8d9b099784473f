"""Visits mailboxes that are due: one worker per mailbox, however many processes there are."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from libs.common.errors import TransientError
from services.retractor import metrics
from services.retractor.ports.ledger import Visit
from services.retractor.workers.attempts import PausedError
from services.retractor.workers.bench import Bench
from services.retractor.workers.mailbox import MailboxVisit

_log = structlog.get_logger()


@dataclass(slots=True)
class Visits:
    """The loop that leases mailboxes and works on them."""

    bench: Bench
    _open: set[Visit] = field(default_factory=set)
    #: On the clock's monotonic scale: until when Graph wants no call of ours at all.
    _closed_until: float = 0.0

    async def run(self) -> None:
        """Visit what is due until cancelled; leased mailboxes are given back."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._heartbeat())
            while True:
                claimed = await self._claim()
                for visit in claimed:
                    self._open.add(visit)
                    tasks.create_task(self._visit(visit))
                if not claimed:
                    await self.bench.work_bell.wait()

    async def _claim(self) -> list[Visit]:
        bench = self.bench
        free = bench.pace.mailboxes_at_once - len(self._open)
        if free <= 0 or bench.clock.monotonic() < self._closed_until:
            return []
        try:
            now = bench.clock.now()
            return list(await bench.schedule.claim(free, now, bench.pace.lease_seconds))
        except TransientError as error:
            _log.warning("mailboxes_not_claimed", reason=error.reason)
            return []

    async def _heartbeat(self) -> None:
        bench = self.bench
        while True:
            await bench.clock.sleep(bench.pace.lease_seconds / 3)
            if not self._open:
                continue
            try:
                await bench.schedule.prolong(
                    list(self._open), bench.clock.now(), bench.pace.lease_seconds
                )
            except TransientError as error:
                _log.warning("leases_not_prolonged", reason=error.reason)

    async def _visit(self, visit: Visit) -> None:
        bench = self.bench
        paused_seconds = 0.0
        metrics.MAILBOXES_IN_WORK.inc()
        try:
            await MailboxVisit(bench, visit).run()
        except PausedError as pause:
            paused_seconds = pause.seconds
            if pause.everywhere:
                self._closed_until = bench.clock.monotonic() + pause.seconds
        except TransientError as error:  # the database: what was not written will be done again
            _log.warning("visit_broken_off", tenant=visit.tenant, reason=error.reason)
        finally:
            metrics.MAILBOXES_IN_WORK.dec()
            await self._release(visit, paused_seconds)

    async def _release(self, visit: Visit, paused_seconds: float) -> None:
        self._open.discard(visit)
        until = None
        if paused_seconds:
            until = self.bench.clock.now() + timedelta(seconds=paused_seconds)
        try:
            await self.bench.schedule.release(visit, until)
        except TransientError as error:
            _log.warning("mailbox_not_released", tenant=visit.tenant, reason=error.reason)
        self.bench.work_bell.ring()
