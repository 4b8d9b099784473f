"""`retraction.cancel.v1`."""

from dataclasses import replace

from libs.common.broker.publishing import Publish
from libs.common.contracts.retraction import CancelRetraction
from libs.common.errors import PermanentError
from services.retractor.domain import announcements
from services.retractor.domain.retraction import Status
from services.retractor.handlers.once import Answers, Desk, answer_once
from services.retractor.ports.ledger import Transaction


async def accept_cancellation(command: CancelRetraction, publish: Publish, *, desk: Desk) -> None:
    """Stop a retraction or restore: what has been moved stays moved, nothing more is touched.

    Cancelling what is over changes nothing, except that a standing order takes no more recipients.
    A redelivered command announces the same answer under the same ids.

    Raises:
        PermanentError: `unknown_retraction`.
    """

    async def decide(ledger: Transaction) -> Answers:
        return await _cancel(desk, ledger, command)

    await answer_once(desk, publish, command.tenant, [], decide)


async def _cancel(desk: Desk, ledger: Transaction, command: CancelRetraction) -> Answers:
    now = desk.clock.now()
    known = await ledger.retractions.get(command.tenant, command.retraction_id, locked=True)
    if known is None:
        raise PermanentError("unknown_retraction")
    if not known.is_open and known.standing_until is None:
        return []
    stopped = replace(known, standing_until=None, waiting_until=None)
    if known.status is Status.RUNNING:
        await ledger.retractions.put(replace(stopped, status=Status.CANCELLING))
        await ledger.work.hasten(known.tenant, known.retraction_id, now)
        return []  # finished by the workers, once what has begun is done
    if not known.is_open:  # its end has been told of; it takes no more recipients
        await ledger.retractions.put(stopped)
        return []
    if known.status is Status.CANCELLING:
        return []
    stopped = replace(stopped, status=Status.CANCELLED)
    await ledger.retractions.put(stopped)
    counts = await ledger.progress.counts(known.tenant, known.retraction_id)
    return [(str(known.retraction_id), announcements.finished(stopped, counts, now))]
