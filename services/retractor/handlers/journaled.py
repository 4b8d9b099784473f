"""Who received what."""

import base64
import binascii

from libs.common.broker.publishing import Publish
from libs.common.contracts import Contract
from libs.common.contracts.mail import Direction, MailJournaled
from libs.common.tenants.model import Tenant
from services.retractor.domain.addresses import first_address, is_in
from services.retractor.domain.mail import Fingerprint, Message, Receipt
from services.retractor.domain.retraction import Status
from services.retractor.handlers.admission import admit, join
from services.retractor.handlers.once import Answers, Desk, answer_once
from services.retractor.ports.ledger import Transaction

#: 22 bytes and 5 per reply: 200 replies. A longer one is not from a mail program.
_MAX_INDEX_BYTES = 22 + 5 * 200


async def record_mail(event: MailJournaled, publish: Publish, *, desk: Desk) -> None:
    """Keep who received a message; wake retractions that waited for it, enlarge standing orders.

    A redelivered report changes nothing and announces what it woke under the same ids.
    """
    tenant = desk.rules.tenant(event.tenant)
    if tenant is None:
        return
    subjects = [event.message_key]
    if event.internet_message_id:
        subjects.append(event.internet_message_id)

    async def decide(ledger: Transaction) -> Answers:
        message, receipts = _message(event), _receipts(event, tenant)
        await ledger.mail.record(message, receipts, event.report_key)
        answers: list[tuple[str, Contract]] = []
        for retraction in await ledger.retractions.waiting_or_standing(message, desk.clock.now()):
            if retraction.status is Status.WAITING:
                answers += await admit(desk, ledger, retraction)
            else:
                answers += await join(desk, ledger, retraction, receipts)
        return answers

    await answer_once(desk, publish, event.tenant, subjects, decide)


def _message(event: MailJournaled) -> Message:
    headers = event.headers
    return Message(
        tenant=event.tenant,
        message_key=event.message_key,
        internet_message_id=event.internet_message_id,
        fingerprint=Fingerprint(first_address(headers.from_), headers.date, headers.subject),
        conversation_index=_index(event.thread_index),
    )


def _receipts(event: MailJournaled, tenant: Tenant) -> list[Receipt]:
    """Return the tenant's own mailboxes that hold it; the sender's where it left from one."""
    roles: dict[str, str] = {}
    sender = event.envelope.sender.strip().lower()
    if event.direction in (Direction.INTERNAL, Direction.OUTBOUND) and sender:
        roles[sender] = "sender"
    for recipient in event.envelope.recipients:
        roles[recipient.address.strip().lower()] = recipient.role.value
    return [
        Receipt(event.message_key, mailbox, role)
        for mailbox, role in roles.items()
        if is_in(mailbox, tenant.domains)
    ]


def _index(thread_index: str | None) -> bytes:
    if not thread_index:
        return b""
    try:
        index = base64.b64decode("".join(thread_index[:4000].split()), validate=True)
    except (binascii.Error, ValueError):
        return b""
    return index if len(index) <= _MAX_INDEX_BYTES else b""
