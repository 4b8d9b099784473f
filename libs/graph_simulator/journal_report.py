"""Journal reports as Exchange Online writes them ([MS-XJRNL] 2.1, and reports seen in public)."""

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Literal
from uuid import UUID

from libs.graph_simulator.world.delivery import Delivery
from libs.graph_simulator.world.directory import Tenant, World
from libs.graph_simulator.world.messages import Message, read

Role = Literal["To", "Cc", "Bcc", "Recipient"]
_SERVER = "BBBPR00MB0001"
_SYSTEM_MAILBOX = "MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e"
_COPIED_HEADERS = ("Subject", "Cc", "To", "From")


@dataclass(frozen=True, slots=True)
class JournalRecipient:
    """One recipient line. `Recipient` where the addressing could not be trusted."""

    address: str
    role: Role = "Recipient"
    expanded_from: str | None = None
    forwarded_from: str | None = None

    def line(self) -> str:
        """Write the line."""
        text = f"{self.role}: {self.address}"
        if self.expanded_from:
            text += f", Expanded: {self.expanded_from}"
        if self.forwarded_from:
            text += f", Forwarded: {self.forwarded_from}"
        return text


@dataclass(frozen=True, slots=True)
class Organisation:
    """Who journals. `initial_domain` is the one that Microsoft gave: `contoso.onmicrosoft.com`."""

    tenant_id: str
    initial_domain: str


def journal_report(
    original: bytes,
    *,
    organisation: Organisation,
    sender: str,
    recipients: Sequence[JournalRecipient],
    generated_at: datetime,
    report_id: str,
    on_behalf_of: str | None = None,
) -> bytes:
    """Wrap a message. The original is attached byte for byte; `report_id` is a GUID.

    A null reverse-path is the sender `""`, and is written `<>`.
    """
    message = read(original)
    lines = [f"Sender: {sender or '<>'}"]
    if on_behalf_of:
        lines.append(f"On-Behalf-Of: {on_behalf_of}")
    lines.append(f"Subject: {_one_line(message.subject)}")
    lines.append(f"Message-Id: {_one_line(message.internet_message_id)}")
    lines.extend(recipient.line() for recipient in recipients)
    boundary = f"_{report_id}_"
    copied = b"".join(_raw_header(original, name) for name in _COPIED_HEADERS)
    return b"".join(
        (
            f'Content-Type: multipart/mixed;\r\n\tboundary="{boundary}"\r\n'.encode("ascii"),
            copied,
            _own_headers(message.internet_message_id, organisation, generated_at, report_id),
            f"\r\n--{boundary}\r\n".encode("ascii"),
            _envelope_part("\r\n".join(lines) + "\r\n"),
            f"\r\n--{boundary}\r\nContent-Type: message/rfc822\r\n\r\n".encode("ascii"),
            original,
            f"\r\n--{boundary}--\r\n".encode("ascii"),
        )
    )


def stamp_original(
    mime: bytes,
    *,
    organisation: Organisation,
    is_internal: bool,
    received_at: datetime,
    network_message_id: str,
    extra_headers: Iterable[tuple[str, str]] = (),
) -> bytes:
    """Write into a message what Exchange's transport adds before it is journaled.

    Line ends become CRLF where there is none yet. `extra_headers` go on top, as
    `Authentication-Results` does.
    """
    if b"\r\n" not in mime:
        mime = mime.replace(b"\n", b"\r\n")
    head, gap, body = mime.partition(b"\r\n\r\n")
    received = (
        f"Received: from AAAPR00CA0001.namprd00.prod.outlook.com (2603:10b6:0:0::1) by\r\n"
        f" {_SERVER}.namprd00.prod.outlook.com (2603:10b6:0:0::2) with Microsoft SMTP\r\n"
        f" Server (version=TLS1_2, cipher=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384) id\r\n"
        f" 15.20.0000.00; {format_datetime(received_at)}\r\n"
    )
    on_top = "".join(f"{name}: {value}\r\n" for name, value in extra_headers)
    direction = "Originating" if is_internal else "Incoming"
    stamped = (
        f"\r\nX-EOPTenantAttributedMessage: {organisation.tenant_id}:0"
        f"\r\nX-MS-Exchange-Organization-MessageDirectionality: {direction}"
        f"\r\nX-MS-Exchange-Organization-Id: {organisation.tenant_id}"
        f"\r\nX-MS-Exchange-Organization-AuthAs: {'Internal' if is_internal else 'Anonymous'}"
        f"\r\nX-MS-Exchange-Organization-Network-Message-Id: {network_message_id}"
    )
    top = (received + on_top).encode("utf-8")
    return top + head + stamped.encode("ascii") + (gap or b"\r\n\r\n") + body


def report_of(
    delivery: Delivery,
    tenant: Tenant,
    world: World,
    *,
    extra_headers: Iterable[tuple[str, str]] = (),
) -> bytes | None:
    """Write the report that this tenant's journal rule makes of a delivery; None if it has no part.

    Incoming mail lists the tenant's recipients, mail from inside lists all.
    """
    is_internal = delivery.mail_from.lower() in tenant.by_address
    concerned = [
        address
        for address in delivery.rcpt_to
        if is_internal or address.lower() in tenant.by_address
    ]
    if not concerned:
        return None
    organisation = organisation_of(tenant)
    original = stamp_original(
        delivery.mime,
        organisation=organisation,
        is_internal=is_internal,
        received_at=delivery.delivered_at,
        network_message_id=world.new_guid(),
        extra_headers=extra_headers,
    )
    return journal_report(
        original,
        organisation=organisation,
        sender=delivery.mail_from,
        recipients=_with_roles(read(delivery.mime), concerned, is_internal=is_internal),
        generated_at=delivery.delivered_at,
        report_id=world.new_guid(),
    )


def organisation_of(tenant: Tenant) -> Organisation:
    """Name the tenant as Exchange does: by its GUID and its first domain's first word."""
    word = re.sub(r"[^a-z0-9]", "", tenant.domains[0].partition(".")[0]) or "tenant"
    return Organisation(tenant.id, f"{word}.onmicrosoft.com")


def _with_roles(
    message: Message, addresses: Sequence[str], *, is_internal: bool
) -> list[JournalRecipient]:
    if not is_internal:
        return [JournalRecipient(address) for address in addresses]
    to = {person.address.lower() for person in message.people("To")}
    cc = {person.address.lower() for person in message.people("Cc")}
    found: list[JournalRecipient] = []
    for address in addresses:
        role: Role = "To" if address.lower() in to else "Cc" if address.lower() in cc else "Bcc"
        found.append(JournalRecipient(address, role))
    return found


def _own_headers(
    parent: str, organisation: Organisation, generated_at: datetime, report_id: str
) -> bytes:
    network_id = UUID(int=UUID(report_id).int ^ ((1 << 48) - 1))
    text = (
        "MIME-Version: 1.0\r\n"
        f"Sender:\r\n\t<{_SYSTEM_MAILBOX}@{organisation.initial_domain}>\r\n"
        f"Message-ID: <{report_id}@journal.report.generator>\r\n"
        f"Date: {format_datetime(generated_at)}\r\n"
        "X-MS-PublicTrafficType: Email\r\n"
        "X-MS-Journal-Report:\r\n"
        f"X-MS-Exchange-Parent-Message-Id:\r\n\t{_one_line(parent)}\r\n"
        "Auto-Submitted: auto-generated\r\n"
        "X-MS-Exchange-Generated-Message-Source: Journal Agent\r\n"
        f"X-MS-TrafficTypeDiagnostic: {_SERVER}:JournalingReport\r\n"
        f"X-LD-Processed: {organisation.tenant_id},ExtAddr\r\n"
        f"X-OriginatorOrg: {organisation.initial_domain}\r\n"
        f"X-MS-Exchange-CrossTenant-Network-Message-Id:\r\n\t{network_id}\r\n"
        "X-MS-Exchange-CrossTenant-FromEntityHeader: Hosted\r\n"
        f"X-MS-Exchange-Transport-CrossTenantHeadersStamped: {_SERVER}\r\n"
    )
    return text.encode("utf-8", "surrogateescape")


def _envelope_part(text: str) -> bytes:
    if text.isascii():
        head = 'Content-Type: text/plain; charset="us-ascii"\r\nContent-Transfer-Encoding: 7bit\r\n'
        return f"{head}\r\n{text}".encode("ascii")
    head = 'Content-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: base64\r\n'
    encoded = base64.encodebytes(text.encode("utf-8", "replace")).replace(b"\n", b"\r\n")
    return f"{head}\r\n".encode("ascii") + encoded


def _raw_header(mime: bytes, name: str) -> bytes:
    """Return the first header of that name with its folds, as it stands."""
    block = mime.partition(b"\r\n\r\n")[0] + b"\r\n"
    pattern = rb"(?im)^" + name.encode("ascii") + rb":[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*"
    found = re.search(pattern, block)
    return found.group(0) if found else b""


def _one_line(text: str) -> str:
    return re.sub(r"[\r\n]+", " ", text)
