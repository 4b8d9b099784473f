"""`retraction.restore.v1`."""

from dataclasses import replace

from libs.common.broker.publishing import Cause, Publish
from libs.common.contracts.retraction import Destination, Outcome, RestoreRetraction
from services.retractor.domain import announcements, guard
from services.retractor.domain.desired import CopyState, Wish
from services.retractor.domain.guard import AUTOMATIC_PUBLISHER
from services.retractor.domain.retraction import Copy, CopyProgress, Retraction, Status, Trials
from services.retractor.handlers.once import Answers, Desk, answer_once
from services.retractor.handlers.retract import digest, repeated
from services.retractor.ports.ledger import Transaction

UNKNOWN_RETRACTION = "unknown_retraction"
UNKNOWN_COPIES = "unknown_copies"
HARD_DELETED = "hard_deleted"
NOT_MOVED = "not_moved"


async def accept_restore(command: RestoreRetraction, publish: Publish, *, desk: Desk) -> None:
    """Enter the undoing of a retraction, or of some of its copies; exempt these from the machine.

    Undoing a whole retraction also ends it, if it still runs or stands. A redelivered command
    announces the same answer under the same ids.

    Raises:
        PermanentError: `conflicting_retraction_id`: `restore_id` is taken by another command.
    """
    async with desk.ledger.transaction() as ledger:
        undone = await ledger.retractions.get(command.tenant, command.retraction_id)
    subjects = [str(command.restore_id), str(command.retraction_id)]
    if undone is not None:
        subjects += [one for one in (undone.internet_message_id, undone.message_key) if one]

    async def decide(ledger: Transaction) -> Answers:
        known = await repeated(ledger, command, command.tenant, publish.cause)
        if known is not None:
            return known
        sequence = await ledger.retractions.next_sequence()
        restore = _entered(command, publish.cause, sequence, desk)
        await ledger.retractions.enter(restore)
        return await _admit(desk, ledger, command, restore)

    await answer_once(desk, publish, command.tenant, subjects, decide)


async def _admit(
    desk: Desk, ledger: Transaction, command: RestoreRetraction, restore: Retraction
) -> Answers:
    undone = await ledger.retractions.get(command.tenant, command.retraction_id, locked=True)
    reason = _refusal(desk, restore, undone)
    if undone is None or reason is not None:
        return await _end(desk, ledger, restore, Status.REFUSED, reason or UNKNOWN_RETRACTION)
    restore = replace(restore, internet_message_id=undone.internet_message_id)
    copies = await ledger.progress.copies(undone.tenant, undone.retraction_id)
    if command.copy_ids is not None:
        copies = [copy for copy in copies if copy.copy_id in set(command.copy_ids)]
        if not copies:
            return await _end(desk, ledger, restore, Status.REFUSED, UNKNOWN_COPIES)
        stopped: Answers = []
    else:
        for copy in copies:
            await _spare(ledger, restore, copy)
        copies = [copy for copy in copies if await _is_ours(ledger, undone, copy)]
        stopped = await _stop(desk, ledger, undone)
    if not copies:
        return [*stopped, *await _end(desk, ledger, restore, Status.FINISHED, None)]
    await ledger.retractions.put(restore)
    rows = [await _homeward(ledger, restore, undone, copy) for copy in copies]
    await ledger.work.enter_copies(rows, desk.clock.now())
    accepted = announcements.accepted(restore, len({row.mailbox for row in rows}))
    return [*stopped, (str(restore.retraction_id), accepted)]


def _refusal(desk: Desk, restore: Retraction, undone: Retraction | None) -> str | None:
    request = guard.Request(
        publisher=restore.publisher,
        type=RestoreRetraction.type,
        tenant=restore.tenant,
        destination=Destination.ORIGINAL,
        automatic=restore.wish.automatic,
    )
    rights = desk.rules.rights_of(restore.publisher)
    refused = guard.refusal(request, rights, desk.rules.tenant(restore.tenant))
    if refused is not None:
        return refused.reason
    if undone is None or undone.kind != "retract":
        return UNKNOWN_RETRACTION
    return None


async def _stop(desk: Desk, ledger: Transaction, undone: Retraction) -> Answers:
    """End a retraction that is to be undone as a whole: nothing more joins or moves."""
    now = desk.clock.now()
    undone = replace(undone, standing_until=None, waiting_until=None)
    if undone.status is Status.RUNNING:
        undone = replace(undone, status=Status.CANCELLING)
        await ledger.retractions.put(undone)
        await ledger.work.hasten(undone.tenant, undone.retraction_id, now)
        return []
    if undone.status not in (Status.WAITING, Status.HELD):
        await ledger.retractions.put(undone)
        return []
    undone = replace(undone, status=Status.CANCELLED)
    await ledger.retractions.put(undone)
    return [(str(undone.retraction_id), announcements.finished(undone, {}, now))]


async def _is_ours(ledger: Transaction, undone: Retraction, copy: Copy) -> bool:
    """Return whether we moved the copy, may be doing so right now, or may have done so unseen."""
    if copy.graph_message_id is None or copy.user_id is None:
        return False
    if copy.outcome is Outcome.FAILED:  # after a move whose answer was lost, perhaps
        state = await ledger.states.get(copy.tenant, copy.user_id, copy.graph_message_id)
        return state is not None and state.wish.sequence == undone.wish.sequence
    return copy.outcome is Outcome.MOVED or copy.progress is CopyProgress.ACTING


async def _spare(ledger: Transaction, restore: Retraction, copy: Copy) -> None:
    """Leave a copy that was found, but not touched yet, where it is: the restore's wish is newer.

    A worker that is about to move it reads this in the transaction before the move.
    """
    untouched = copy.progress is CopyProgress.FOUND and copy.outcome is None
    if not untouched or copy.user_id is None or copy.graph_message_id is None:
        return
    place = (copy.tenant, copy.user_id, copy.graph_message_id)
    state = await ledger.states.get(*place)
    exempt = not restore.wish.automatic
    if state is None:
        state = CopyState(
            restore.wish, exempt, origin_folder=None, origin_was_read=None, put_into=None
        )
    await ledger.states.put(
        *place, replace(state, wish=restore.wish, exempt=exempt or state.exempt)
    )


async def _homeward(
    ledger: Transaction, restore: Retraction, undone: Retraction, copy: Copy
) -> Copy:
    """Return the restore's row for a copy, and exempt the copy from automatic retractions."""
    row = replace(
        copy,
        retraction_id=restore.retraction_id,
        progress=CopyProgress.FOUND,
        trials=Trials(),
        folder_before=copy.folder_after,
        folder_after=None,
        outcome=None,
        reason=None,
    )
    ours = await _is_ours(ledger, undone, copy)
    if not ours or copy.user_id is None or copy.graph_message_id is None:
        await _spare(ledger, restore, copy)
        return replace(row, outcome=Outcome.UNTOUCHED, reason=NOT_MOVED)
    if undone.wish.destination is Destination.HARD_DELETE:
        return replace(row, outcome=Outcome.REFUSED, reason=HARD_DELETED)
    place = (copy.tenant, copy.user_id, copy.graph_message_id)
    state = await ledger.states.get(*place) or CopyState(
        undone.wish, exempt=False, origin_folder=None, origin_was_read=None, put_into=None
    )
    exempt = state.exempt or not restore.wish.automatic
    await ledger.states.put(*place, replace(state, wish=restore.wish, exempt=exempt))
    was_read = copy.was_read if state.origin_was_read is None else state.origin_was_read
    return replace(
        row, target_folder=state.origin_folder or copy.folder_before, target_is_read=was_read
    )


async def _end(
    desk: Desk, ledger: Transaction, restore: Retraction, status: Status, reason: str | None
) -> Answers:
    restore = replace(restore, status=status, status_reason=reason)
    await ledger.retractions.put(restore)
    finished = announcements.finished(restore, {}, desk.clock.now())
    return [(str(restore.retraction_id), finished)]


def _entered(command: RestoreRetraction, cause: Cause, sequence: int, desk: Desk) -> Retraction:
    automatic = cause.publisher == AUTOMATIC_PUBLISHER
    return Retraction(
        tenant=command.tenant,
        retraction_id=command.restore_id,
        kind="restore",
        subject_id=command.retraction_id,
        publisher=cause.publisher,
        wish=Wish(Destination.ORIGINAL, sequence, automatic),
        body_sha256=digest(command),
        internet_message_id=None,
        message_key=None,
        expected=None,
        colliding=False,
        depth=0,
        dry_run=False,
        named_mailboxes=(),
        reason=command.reason,
        requested_by=command.requested_by,
        status=Status.RUNNING,
        status_reason=None,
        round=1,
        accepted_at=desk.clock.now(),
        waiting_until=None,
        standing_until=None,
        cause=cause,
    )
