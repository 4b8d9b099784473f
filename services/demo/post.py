"""The demonstration's mail, from file to the bytes that Exchange Online would deliver."""

import email
import email.policy
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from importlib.resources import files
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from services.demo.attachments import attachment
from services.demo.signer import Signer

_PACKAGE = "services.demo.mail"
#: CRLF lines, 8-bit headers encoded (RFC 5322, RFC 2047).
_POLICY = email.policy.SMTP.clone(max_line_length=200)


class Mail(BaseModel):
    """One message of the demonstration and how it travels. See `mail.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    mail_from: str
    to: tuple[str, ...]
    internal: bool = False
    signed_by: str | None = None
    spf: Literal["pass", "softfail", "none"] = "none"
    attachments: tuple[str, ...] = ()


def load_mail() -> list[Mail]:
    """Return the messages in the order in which they are sent."""
    entries = yaml.safe_load((files(_PACKAGE) / "mail.yaml").read_text(encoding="utf-8"))
    return TypeAdapter(list[Mail]).validate_python(entries)


def compose(mail: Mail, signer: Signer, *, sent_at: datetime, tenant_id: str) -> bytes:
    """Return the message as it lies in a mailbox: dated, signed, stamped by Exchange Online."""
    text = (files(_PACKAGE) / f"{mail.name}.eml").read_bytes()
    message = email.message_from_bytes(text, policy=_POLICY)
    assert isinstance(message, EmailMessage)  # noqa: S101 - what this policy makes
    message["Date"] = format_datetime(sent_at)
    for kind in mail.attachments:
        made = attachment(kind)
        main_type, sub_type = made.media_type.split("/")
        message.add_attachment(made.content, main_type, sub_type, filename=made.name)
    raw = message.as_bytes(policy=_POLICY)
    if mail.signed_by is not None:
        raw = signer.sign(raw, mail.signed_by)
    return _stamps(mail, message, sent_at, tenant_id).encode() + raw


def _stamps(mail: Mail, message: EmailMessage, sent_at: datetime, tenant_id: str) -> str:
    """Return the header lines that Exchange Online puts on top (as seen in real reports)."""
    received = format_datetime(sent_at)
    lines = [
        "Received: from AAAPR00CA0001.namprd00.prod.outlook.com (2603:10b6:0:0::1) by",
        " BBBPR00MB0001.namprd00.prod.outlook.com (2603:10b6:0:0::2) with Microsoft SMTP",
        f" Server id 15.20.0000.00; {received}",
    ]
    if not mail.internal:
        lines += _authentication_results(mail, message)
        lines.append("X-Forefront-Antispam-Report: CIP:192.0.2.25;CTRY:;LANG:en;SCL:1;CAT:NONE;")
    lines += [
        f"X-EOPTenantAttributedMessage: {tenant_id}:0",
        "X-MS-Exchange-Organization-MessageDirectionality: "
        + ("Originating" if mail.internal else "Incoming"),
        f"X-MS-Exchange-Organization-Id: {tenant_id}",
        "X-MS-Exchange-Organization-AuthAs: " + ("Internal" if mail.internal else "Anonymous"),
    ]
    return "".join(f"{line}\r\n" for line in lines)


def _authentication_results(mail: Mail, message: EmailMessage) -> list[str]:
    from_domain = parseaddr(str(message["From"]))[1].rpartition("@")[2]
    envelope_domain = mail.mail_from.rpartition("@")[2]
    dkim = f"dkim=pass header.d={mail.signed_by}" if mail.signed_by else "dkim=none header.d=none"
    aligned = mail.signed_by == from_domain or (
        mail.spf == "pass" and envelope_domain == from_domain
    )
    if aligned:
        verdict = f"dmarc=pass action=none header.from={from_domain};compauth=pass reason=100"
    else:
        verdict = f"dmarc=none action=none header.from={from_domain};compauth=fail reason=001"
    return [
        f"Authentication-Results: spf={mail.spf} (sender IP is 192.0.2.25)",
        f" smtp.mailfrom={envelope_domain}; {dkim}; {verdict}",
    ]
