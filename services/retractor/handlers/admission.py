"""Lets a retraction in: finds the message that it means, asks the guard, enters the work."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from libs.common.contracts.retraction import Outcome, RetractMail
from services.retractor.domain import announcements, guard
from services.retractor.domain.addresses import normalised
from services.retractor.domain.mail import Message, Receipt
from services.retractor.domain.retraction import Retraction, Search, Status, left_out
from services.retractor.handlers.once import Answers, Desk
from services.retractor.ports.ledger import Transaction

if TYPE_CHECKING:
    from libs.common.tenants.model import PublisherRights, Tenant

MESSAGE_MISMATCH = "message_mismatch"


async def admit(desk: Desk, ledger: Transaction, retraction: Retraction) -> Answers:
    """Enter a new retraction, or one that waited, and return what is to be announced."""
    now = desk.clock.now()
    tenant = desk.rules.tenant(retraction.tenant)
    rights = desk.rules.rights_of(retraction.publisher)
    refused = guard.refusal(_request(retraction), rights, tenant)
    if refused is not None or tenant is None or rights is None:
        return await _refuse(ledger, retraction, refused or guard.Refused("unknown"), now)
    messages = await _candidates(ledger, retraction)
    if not messages and (retraction.expected is None or retraction.named_mailboxes is None):
        return await _wait(desk, ledger, retraction, now)
    return await _admit_known(ledger, retraction, messages, (tenant, rights), now)


async def join(
    desk: Desk, ledger: Transaction, retraction: Retraction, receipts: Sequence[Receipt]
) -> Answers:
    """Let later recipients of a message join its standing order, after the guard."""
    now = desk.clock.now()
    tenant = desk.rules.tenant(retraction.tenant)
    rights = desk.rules.rights_of(retraction.publisher)
    if tenant is None or guard.refusal(_request(retraction), rights, tenant) or rights is None:
        return []
    known = await ledger.progress.mailboxes(retraction.tenant, retraction.retraction_id)
    roles = {one.mailbox: one.role for one in receipts if one.mailbox not in known}
    if not roles:
        return []
    decision = guard.clear(
        _request(retraction),
        rights,
        tenant,
        tuple(roles),
        touched_before=len(known),
        used_this_hour=await _used(ledger, retraction, rights, now),
    )
    if isinstance(decision, guard.Refused):
        return []
    if isinstance(decision, guard.Held):
        decision = guard.Cleared((), held=dict.fromkeys(roles, decision.reason))
    again = retraction.status is Status.FINISHED
    retraction = replace(
        retraction,
        status=Status.RUNNING,
        status_reason=None,
        round=retraction.round + (1 if again else 0),
    )
    await ledger.retractions.put(retraction)
    await _enter(ledger, retraction, (decision, rights), roles, now)
    return []


def _request(retraction: Retraction) -> guard.Request:
    return guard.Request(
        publisher=retraction.publisher,
        type=RetractMail.type,
        tenant=retraction.tenant,
        destination=retraction.wish.destination,
        automatic=retraction.wish.automatic,
    )


async def _candidates(ledger: Transaction, retraction: Retraction) -> Sequence[Message]:
    return await ledger.mail.messages(
        retraction.tenant,
        internet_message_id=retraction.internet_message_id,
        message_key=retraction.message_key,
    )


async def _admit_known(
    ledger: Transaction,
    retraction: Retraction,
    messages: Sequence[Message],
    rules: "tuple[Tenant, PublisherRights]",
    now: datetime,
) -> Answers:
    tenant, rights = rules
    receipts = await ledger.mail.receipts(
        retraction.tenant, [message.message_key for message in messages]
    )
    meant = _meant(retraction, messages, receipts)
    if isinstance(meant, guard.Held):
        return await _hold(ledger, retraction, meant, now)
    if isinstance(meant, guard.Refused):
        return await _refuse(ledger, retraction, meant, now)
    retraction = await _with_message(ledger, retraction, meant)
    if retraction.internet_message_id is None:
        return await _refuse(ledger, retraction, guard.Refused(guard.NO_MESSAGE_ID), now)
    roles = {one.mailbox: one.role for one in receipts if one.message_key == retraction.message_key}
    if retraction.named_mailboxes is not None:
        roles = {box: roles.get(box, "recipient") for box in retraction.named_mailboxes}
    used = await _used(ledger, retraction, rights, now)
    decision = guard.clear(_request(retraction), rights, tenant, tuple(roles), used_this_hour=used)
    if isinstance(decision, guard.Held):
        return await _hold(ledger, retraction, decision, now)
    if isinstance(decision, guard.Refused) or not roles:
        return await _end_without_mailboxes(ledger, retraction, now)
    retraction = replace(retraction, status=Status.RUNNING, waiting_until=None)
    await ledger.retractions.put(retraction)
    await _enter(ledger, retraction, (decision, rights), roles, now)
    return [(_key(retraction), announcements.accepted(retraction, len(decision.mailboxes)))]


def _meant(
    retraction: Retraction, messages: Sequence[Message], receipts: Sequence[Receipt]
) -> Message | guard.Held | guard.Refused | None:
    """Return the one message that the command fits; None where only the classifier knows it."""
    if not messages:
        return None
    if retraction.message_key is None and len(messages) > 1:
        named = set(retraction.named_mailboxes or ())
        keys = {one.message_key for one in receipts if one.mailbox in named}
        messages = [one for one in messages if one.message_key in keys] or messages
        if len(messages) > 1:
            return guard.Held(guard.AMBIGUOUS_MESSAGE)
    message = messages[0]
    given = retraction.internet_message_id
    if given is not None and message.internet_message_id not in (None, given):
        return guard.Refused(MESSAGE_MISMATCH)
    return message


async def _with_message(
    ledger: Transaction, retraction: Retraction, message: Message | None
) -> Retraction:
    internet_message_id = retraction.internet_message_id
    if message is not None:
        internet_message_id = message.internet_message_id
    alike: Sequence[Message] = ()
    if internet_message_id is not None:
        alike = await ledger.mail.messages(
            retraction.tenant, internet_message_id=internet_message_id, message_key=None
        )
    keys = {one.message_key for one in alike} | {retraction.message_key}
    if message is not None:
        retraction = replace(
            retraction,
            message_key=message.message_key,
            expected=retraction.expected or message.fingerprint,
        )
    return replace(
        retraction,
        internet_message_id=internet_message_id,
        colliding=len(keys - {None, retraction.message_key}) > 0,
    )


async def _used(
    ledger: Transaction, retraction: Retraction, rights: "PublisherRights", now: datetime
) -> int:
    if retraction.dry_run or not guard.is_counted(rights):
        return 0
    return await ledger.usage.of_last_hour(retraction.tenant, now)


async def _enter(
    ledger: Transaction,
    retraction: Retraction,
    verdict: "tuple[guard.Cleared, PublisherRights]",
    roles: Mapping[str, str],
    now: datetime,
) -> None:
    decision, rights = verdict
    expected, internet_message_id = retraction.expected, retraction.internet_message_id
    if expected is None or internet_message_id is None:
        return
    searches = [
        Search(
            tenant=retraction.tenant,
            retraction_id=retraction.retraction_id,
            mailbox=mailbox,
            internet_message_id=internet_message_id,
            expected=expected,
            depth=0,
            matched_by="message_id",
            role=roles.get(mailbox, "recipient"),
        )
        for mailbox in decision.mailboxes
    ]
    await ledger.work.add_searches(searches, now)
    await _leave_out(ledger, retraction, decision.refused, Outcome.REFUSED, now)
    await _leave_out(ledger, retraction, decision.held, Outcome.UNTOUCHED, now)
    if guard.is_counted(rights) and not retraction.dry_run:
        await ledger.usage.count(retraction.tenant, now, len(searches))


async def _leave_out(
    ledger: Transaction,
    retraction: Retraction,
    reasons: Mapping[str, str],
    outcome: Outcome,
    now: datetime,
) -> None:
    message_id = retraction.internet_message_id or ""
    copies = [
        left_out(retraction, mailbox, message_id, outcome, reason)
        for mailbox, reason in reasons.items()
    ]
    await ledger.work.enter_copies(copies, now)


async def _wait(desk: Desk, ledger: Transaction, retraction: Retraction, now: datetime) -> Answers:
    until = now + timedelta(seconds=desk.patience.unknown_message_seconds)
    retraction = replace(retraction, status=Status.WAITING, waiting_until=until)
    await ledger.retractions.put(retraction)
    named = normalised(retraction.named_mailboxes or ())
    return [(_key(retraction), announcements.accepted(retraction, len(named)))]


async def _end_without_mailboxes(
    ledger: Transaction, retraction: Retraction, now: datetime
) -> Answers:
    """End what concerns no mailbox; a standing order stands: parts of the report may be to come."""
    if retraction.standing_until is None:
        return await _refuse(ledger, retraction, guard.Refused(guard.NO_MAILBOXES), now)
    retraction = replace(
        retraction,
        status=Status.FINISHED,
        status_reason=guard.NO_MAILBOXES,
        waiting_until=None,
    )
    await ledger.retractions.put(retraction)
    answers = announcements.accepted(retraction, 0), announcements.finished(retraction, {}, now)
    return [(_key(retraction), answer) for answer in answers]


async def _hold(
    ledger: Transaction, retraction: Retraction, hold: guard.Held, now: datetime
) -> Answers:
    if retraction.dry_run:  # it would be held: that is all there is to say, nothing waits
        return await _refuse(ledger, retraction, guard.Refused(hold.reason), now)
    retraction = replace(
        retraction, status=Status.HELD, status_reason=hold.reason, waiting_until=None
    )
    await ledger.retractions.put(retraction)
    return [(_key(retraction), announcements.held(retraction))]


async def _refuse(
    ledger: Transaction, retraction: Retraction, refused: guard.Refused, now: datetime
) -> Answers:
    retraction = replace(
        retraction,
        status=Status.REFUSED,
        status_reason=refused.reason,
        waiting_until=None,
        standing_until=None,
    )
    await ledger.retractions.put(retraction)
    return [(_key(retraction), announcements.finished(retraction, {}, now))]


def _key(retraction: Retraction) -> str:
    return str(retraction.retraction_id)
