"""Exchange Online as a sender of journal reports: several connections, and it comes again."""

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import cycle

from tests.e2e.mail import Mail, send

_CONNECTIONS = 3
_COME_AGAIN_SECONDS = 0.1


class Exchange:
    """Sends each report until it has its 250; a 5yz would lose it."""

    def __init__(self, ports: Sequence[int]) -> None:
        #: Of one listener, or of several that stand for one name, as MX records do.
        self._ports = cycle(ports)
        self._waiting: queue.SimpleQueue[Mail] = queue.SimpleQueue()
        self._is_over = threading.Event()
        #: Messages whose reports had their 250, in that order; a report sent twice is there twice.
        self.accepted: list[Mail] = []
        #: Replies other than 250; None where the connection was refused or cut.
        self.refused: list[int | None] = []

    def send(self, mails: Sequence[Mail]) -> None:
        """Put reports into the queue."""
        for mail in mails:
            self._waiting.put(mail)

    def losses(self) -> list[int]:
        """Return the replies after which Exchange would have given up."""
        return [code for code in self.refused if code is not None and code >= 500]

    def _work(self) -> None:
        while not self._is_over.is_set():
            with suppress(queue.Empty):
                self._hand_over(self._waiting.get(timeout=_COME_AGAIN_SECONDS))

    def _hand_over(self, mail: Mail) -> None:
        report = mail.report()
        while not self._is_over.is_set():
            code = self._reply_to(mail, report)
            if code == 250:
                self.accepted.append(mail)
                return
            self.refused.append(code)
            self._is_over.wait(_COME_AGAIN_SECONDS)

    def _reply_to(self, mail: Mail, report: bytes) -> int | None:
        try:
            return send(next(self._ports), report, to=mail.tenant.journal_address)[0]
        except OSError:  # smtplib's exceptions are, too
            return None


@contextmanager
def exchange(*ports: int) -> Iterator[Exchange]:
    """Give a sender that works until the context ends."""
    sender = Exchange(ports)
    threads = [threading.Thread(target=sender._work) for _ in range(_CONNECTIONS)]
    for thread in threads:
        thread.start()
    try:
        yield sender
    finally:
        sender._is_over.set()
        for thread in threads:
            thread.join()
