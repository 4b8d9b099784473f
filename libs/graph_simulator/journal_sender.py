"""Sends a tenant's journal reports by SMTP, again and again until they are taken."""

import asyncio
import smtplib
import ssl
from collections import Counter

import structlog

from libs.common.clock import Clock
from libs.graph_simulator.journal_report import report_of
from libs.graph_simulator.seed import JournalSeed
from libs.graph_simulator.world.delivery import Delivery, PostOffice
from libs.graph_simulator.world.directory import Tenant, World

_RETRY_SECONDS = 1.0
_TIMEOUT_SECONDS = 30.0
_log = structlog.get_logger()


class JournalSender:
    """One report for each delivery that concerns the tenant, in order.

    Exchange retries what is refused for now (4yz, no connection) for a day, and gives up at once
    on 5yz: such a report is lost, and counted.
    """

    def __init__(
        self, world: World, post_office: PostOffice, tenant: Tenant, journal: JournalSeed
    ) -> None:
        self.counts: Counter[str] = Counter(sent=0, retried=0, lost=0)
        self._world = world
        self._clock: Clock = world.clock
        self._post_office = post_office
        self._tenant = tenant
        self._journal = journal
        self._sender = journal.mail_from or f"journal-ndr@{tenant.domains[0]}"
        self._news = asyncio.Event()
        post_office.subscribe(self._wake)

    async def run(self) -> None:
        """Send until cancelled."""
        done = 0
        while True:
            self._news.clear()
            for delivery in self._post_office.deliveries[done:]:
                await self._send(delivery)
                done += 1
            # Emptying the mailboxes begins the list anew.
            done = min(done, len(self._post_office.deliveries))
            if done == len(self._post_office.deliveries):
                await self._news.wait()

    def _wake(self, delivery: Delivery) -> None:
        self._news.set()

    async def _send(self, delivery: Delivery) -> None:
        report = report_of(delivery, self._tenant, self._world)
        if report is None:
            return
        while (answer := await asyncio.to_thread(self._hand_over, report)) == "retried":
            self.counts[answer] += 1
            await self._clock.sleep(_RETRY_SECONDS)
        self.counts[answer] += 1
        if answer == "lost":
            _log.warning("journal_report_refused", tenant=self._tenant.id, number=delivery.number)

    def _hand_over(self, report: bytes) -> str:
        try:
            with smtplib.SMTP(
                self._journal.host, self._journal.port, timeout=_TIMEOUT_SECONDS
            ) as smtp:
                smtp.ehlo()
                if smtp.has_extn("starttls"):
                    smtp.starttls(context=_opportunistic())
                smtp.sendmail(self._sender, [self._journal.address], report)
        except smtplib.SMTPResponseException as error:
            return "lost" if error.smtp_code >= 500 else "retried"
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            return "lost" if all(code >= 500 for code in codes) else "retried"
        except (OSError, smtplib.SMTPException):
            return "retried"
        return "sent"


def _opportunistic() -> ssl.SSLContext:
    """Encrypt without asking who answers, as Exchange does without a connector."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
