"""Mail of these tests, and its journal reports as Exchange Online sends them."""

import smtplib
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from uuid import NAMESPACE_URL, uuid5

from libs.graph_simulator.journal_report import (
    JournalRecipient,
    Organisation,
    journal_report,
    stamp_original,
)
from services.demo.attachments import attachment
from tests.e2e.tenant import ACME, DOMAIN, JOURNAL_ADDRESS, PEOPLE, Tenant

JOURNAL_SENDER = f"journal-ndr@{DOMAIN}"
_SENT_AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
_SENDER = "mara@fabrikam.example"
_PASSED = (
    "spf=pass (sender IP is 192.0.2.25) smtp.mailfrom=fabrikam.example; dkim=pass"
    " header.d=fabrikam.example; dmarc=pass action=none header.from=fabrikam.example;"
    "compauth=pass reason=100"
)


@dataclass(frozen=True)
class Mail:
    """A message from outside; a bad one carries the test virus."""

    number: int
    is_bad: bool = False
    to: tuple[str, ...] = PEOPLE[:1]
    tenant: Tenant = ACME

    @property
    def internet_message_id(self) -> str:
        return f"<e2e-{self.number}@fabrikam.example>"

    @property
    def sender(self) -> str:
        return _SENDER

    def mime(self) -> bytes:
        """Return the message as it lies in mailboxes."""
        message = EmailMessage(policy=SMTP)
        message["From"] = f"Mara Lind <{_SENDER}>"
        message["To"] = ", ".join(self.to)
        message["Subject"] = f"Delivery note {self.number}"
        message["Date"] = format_datetime(_SENT_AT + timedelta(minutes=self.number))
        message["Message-ID"] = self.internet_message_id
        message.set_content(f"Hello,\n\nplease find the details of order {self.number} below.\n")
        if self.is_bad:
            made = attachment("test_virus")
            main_type, sub_type = made.media_type.split("/")
            message.add_attachment(made.content, main_type, sub_type, filename=made.name)
            message.set_boundary(f"part-of-{self.number}")  # the same bytes every time
        return message.as_bytes()

    def report(self) -> bytes:
        """Return its journal report: the same bytes every time, as a queue sends them again."""
        report_id = str(uuid5(NAMESPACE_URL, self.internet_message_id))
        at = _SENT_AT + timedelta(minutes=self.number)
        organisation = Organisation(
            self.tenant.microsoft_tenant_id, f"{self.tenant.id}.onmicrosoft.com"
        )
        original = stamp_original(
            self.mime(),
            organisation=organisation,
            is_internal=False,
            received_at=at,
            network_message_id=report_id,
            extra_headers=[("Authentication-Results", _PASSED)],
        )
        return journal_report(
            original,
            organisation=organisation,
            sender=_SENDER,
            recipients=[JournalRecipient(address) for address in self.to],
            generated_at=at,
            report_id=report_id,
        )


def send(
    port: int,
    raw: bytes,
    *,
    to: str = JOURNAL_ADDRESS,
    mail_from: str = JOURNAL_SENDER,
    tls: ssl.SSLContext | None = None,
) -> tuple[int, str]:
    """Hand a message over, encrypted if so asked, and return the reply that decided over it.

    Raises:
        OSError: nobody listens, or the connection was cut before the reply.
    """
    smtp = smtplib.SMTP("127.0.0.1", port, timeout=90)
    try:
        if tls is not None:
            smtp.starttls(context=tls)
        smtp.ehlo()
        code, text = smtp.mail(mail_from)
        if code == 250:
            code, text = smtp.rcpt(to)
        if code == 250:
            code, text = smtp.data(raw)
        return code, text.decode()
    finally:
        smtp.close()  # without QUIT: what happens after the reply must not hide it
