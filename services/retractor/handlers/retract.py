"""`mail.retract.v1`."""

import hashlib
from datetime import timedelta

from libs.common.broker.publishing import Cause, Publish
from libs.common.contracts import Contract
from libs.common.contracts.retraction import Destination, RetractMail
from libs.common.errors import PermanentError
from services.retractor.domain.addresses import first_address, normalised
from services.retractor.domain.desired import Wish
from services.retractor.domain.guard import AUTOMATIC_PUBLISHER
from services.retractor.domain.mail import Fingerprint
from services.retractor.domain.retraction import Retraction, Status
from services.retractor.handlers.admission import admit
from services.retractor.handlers.once import Answers, Desk, answer_once
from services.retractor.ports.ledger import Transaction


async def accept_retraction(command: RetractMail, publish: Publish, *, desk: Desk) -> None:
    """Enter the retraction in the ledger and say whether it may begin; the workers do the moving.

    A redelivered command announces the same answer under the same ids.

    Raises:
        PermanentError: `names_no_message`; `conflicting_retraction_id`: the id is taken by another
            command, which stands.
    """
    subjects = [one for one in (command.internet_message_id, command.message_key) if one]
    if not subjects:
        raise PermanentError("names_no_message")

    async def decide(ledger: Transaction) -> Answers:
        known = await repeated(ledger, command, command.tenant, publish.cause)
        if known is not None:
            return known
        sequence = await ledger.retractions.next_sequence()
        entered = _entered(command, publish.cause, sequence, desk)
        await ledger.retractions.enter(entered)
        return await admit(desk, ledger, entered)

    # Its own id, too: two commands under one id about different mail must take turns.
    subjects.append(str(command.retraction_id))
    await answer_once(desk, publish, command.tenant, subjects, decide)


async def repeated(
    ledger: Transaction, command: Contract, tenant: str, cause: Cause
) -> Answers | None:
    """Return the answers to a command that we have under this id already; None where it is new.

    Raises:
        PermanentError: `conflicting_retraction_id`.
    """
    command_id = getattr(command, "restore_id", None) or getattr(command, "retraction_id", None)
    if command_id is None:
        return None
    known = await ledger.retractions.get(tenant, command_id)
    if known is None:
        return None
    if known.body_sha256 != digest(command) or known.publisher != cause.publisher:
        raise PermanentError("conflicting_retraction_id")
    return await ledger.answers.to(known.cause) or []


def digest(command: Contract) -> str:
    """Return the hash of a command's body: the same command again has the same."""
    return hashlib.sha256(command.body()).hexdigest()


def _entered(command: RetractMail, cause: Cause, sequence: int, desk: Desk) -> Retraction:
    automatic = cause.publisher == AUTOMATIC_PUBLISHER
    now = desk.clock.now()
    named = None if command.mailboxes is None else normalised(command.mailboxes)
    stands = named is None and not command.dry_run
    until = now + timedelta(seconds=desk.patience.standing_order_seconds)
    return Retraction(
        tenant=command.tenant,
        retraction_id=command.retraction_id,
        kind="retract",
        subject_id=command.retraction_id,
        publisher=cause.publisher,
        wish=Wish(Destination(command.destination), sequence, automatic),
        body_sha256=digest(command),
        internet_message_id=command.internet_message_id,
        message_key=command.message_key,
        expected=_believed(command) if automatic else None,
        colliding=False,
        depth=0 if automatic else command.depth,
        dry_run=command.dry_run,
        named_mailboxes=named,
        reason=command.reason,
        requested_by=command.requested_by,
        status=Status.RUNNING,
        status_reason=None,
        round=1,
        accepted_at=now,
        waiting_until=None,
        standing_until=until if stands else None,
        cause=cause,
    )


def _believed(command: RetractMail) -> Fingerprint | None:
    headers = command.headers
    if headers is None:
        return None
    return Fingerprint(first_address(headers.from_), headers.date, headers.subject)
