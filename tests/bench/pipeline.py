"""Four processes, from SMTP to the record: all at once, and one after the other."""

import asyncio
import os
import re
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx

from libs.common.broker.topology import CLASSIFIER_EVENTS, RETRACTOR_EVENTS
from tests.bench.load import send_all
from tests.e2e.deployment import Deployment
from tests.e2e.mail import JOURNAL_SENDER, Mail
from tests.e2e.microsoft import Microsoft

_WAIT_SECONDS = 120.0
_LOOK_AGAIN_SECONDS = 0.02
#: One in so many messages is bad.
BAD = 10
#: Messages of one mail on the exchange: journaled, classified; of a bad one retract, accepted,
#: settled and finished besides.
_RECORDS, _RECORDS_OF_BAD = 2, 4


@dataclass(frozen=True)
class Batch:
    """Mail that goes through together."""

    mails: Sequence[Mail]
    reports: Sequence[bytes]

    @property
    def bad(self) -> int:
        return sum(mail.is_bad for mail in self.mails)

    @property
    def records(self) -> int:
        return _RECORDS * len(self.mails) + _RECORDS_OF_BAD * self.bad


class Pipeline:
    """A running deployment, and what it has counted."""

    def __init__(self, deployment: Deployment, mailboxes: Microsoft) -> None:
        self._deployment = deployment
        self._mailboxes = mailboxes
        self._http = httpx.Client(timeout=10)
        self._next = 1

    def close(self) -> None:
        self._http.close()

    def batch(self, count: int) -> Batch:
        """Write new mail; what is bad lies in mailboxes already."""
        numbers = range(self._next, self._next + count)
        self._next += count
        mails = [Mail(number, is_bad=number % BAD == 0) for number in numbers]
        batch = Batch(mails, [mail.report() for mail in mails])
        for mail in batch.mails:
            if mail.is_bad:
                self._mailboxes.deliver(mail.mime(), mail.sender, mail.to)
        return batch

    def together(self, batch: Batch) -> float:
        """Let all services work at once; return seconds until everything is done."""
        is_done = [self._judged(batch), self._retracted(batch), self._recorded(batch)]
        return self._timed(lambda: self._send(batch), is_done)

    def apart(self, batch: Batch) -> dict[str, float]:
        """Let one service work at a time, on the same messages; return seconds of each."""
        judged, retracted = self._judged(batch), self._retracted(batch)
        recorded = self._recorded(batch)
        for service in ("classifier", "retractor", "audit"):
            self._signal(service, signal.SIGSTOP)
        seconds = {"ingest": self._timed(lambda: self._send(batch), [])}
        for service, is_done in (
            ("classifier", judged),
            ("retractor", retracted),
            ("audit", recorded),
        ):
            seconds[service] = self._timed(
                lambda s=service: self._signal(s, signal.SIGCONT), [is_done]
            )
            if service == "classifier":
                self._signal(service, signal.SIGSTOP)
        self._signal("classifier", signal.SIGCONT)
        return seconds

    def _timed(self, begin: Callable[[], None], is_done: Sequence[Callable[[], bool]]) -> float:
        started = time.perf_counter()
        begin()
        for each in is_done:
            while not each():
                if time.perf_counter() - started > _WAIT_SECONDS:
                    raise TimeoutError(f"not done after {_WAIT_SECONDS:.0f} s")
                time.sleep(_LOOK_AGAIN_SECONDS)
        return time.perf_counter() - started

    def _send(self, batch: Batch) -> None:
        (port,) = self._deployment.smtp_ports
        to = batch.mails[0].tenant.journal_address
        asyncio.run(send_all(port, batch.reports, mail_from=JOURNAL_SENDER, to=to))

    def _signal(self, service: str, number: signal.Signals) -> None:
        os.kill(self._deployment.of(service).program.pid, number)

    def _judged(self, batch: Batch) -> Callable[[], bool]:
        return self._risen("classifier", _handled(CLASSIFIER_EVENTS), len(batch.mails))

    def _retracted(self, batch: Batch) -> Callable[[], bool]:
        kept = self._risen("retractor", _handled(RETRACTOR_EVENTS), len(batch.mails))
        ended = self._risen(
            "retractor", r'undeliver_retractions_total\{outcome="finished"\}', batch.bad
        )
        return lambda: kept() and ended()

    def _recorded(self, batch: Batch) -> Callable[[], bool]:
        return self._risen("audit", r"undeliver_audit_records_total\{[^}]*\}", batch.records)

    def _risen(self, service: str, series: str, by: int) -> Callable[[], bool]:
        """Return what tells whether a counter has risen since now."""
        before = self._count(service, series)
        return lambda: self._count(service, series) >= before + by

    def _count(self, service: str, series: str) -> float:
        text = self._http.get(
            f"http://127.0.0.1:{self._deployment.of(service).http_port}/metrics"
        ).text
        return sum(float(value) for value in re.findall(rf"^{series} (\S+)$", text, re.MULTILINE))


def _handled(queue: str) -> str:
    return rf'undeliver_deliveries_total\{{queue="{re.escape(queue)}",settlement="ack"\}}'
