"""Brings one copy back to where it was."""

from dataclasses import replace

from libs.common.contracts.retraction import Outcome
from services.retractor.domain import identity
from services.retractor.domain.desired import CopyState, objection
from services.retractor.domain.mail import Fingerprint, FoundCopy
from services.retractor.domain.retraction import CopyProgress, Status
from services.retractor.ports.mailboxes import Folder, Move, Moved
from services.retractor.workers.errands import FOLDER_MISSING, USER_DELETED, Errand
from services.retractor.workers.settling import CANCELLED, Landed, is_running, is_settled, settle


async def bring_home(errand: Errand) -> None:
    """Move a copy back to its folder, read or unread as it was.

    Where the folder is gone, the inbox takes it. The row is written before Graph is called; after
    a crash the copy is looked at first, so that it moves once.

    Raises:
        TransientError, PermanentError: see `ports.mailboxes`.
    """
    item = await _item(errand)
    if item is None:
        await _settle(errand, Outcome.ABSENT, USER_DELETED)
        return
    errand = replace(
        errand,
        graph_message_id=item.graph_message_id,
        copy=replace(errand.copy, folder_before=errand.copy.folder_before or item.folder_id),
    )
    target = errand.copy.target_folder
    is_home = target is not None and item.folder_id == target
    acted = errand.copy.progress is CopyProgress.ACTING
    if is_home and not acted:
        await _settle(errand, Outcome.ALREADY_THERE, folder_after=item.folder_id)
        return
    if errand.retraction.status is Status.CANCELLING and not acted:
        await _settle(errand, Outcome.UNTOUCHED, CANCELLED)
        return
    begun = await _begin(errand)
    if begun is None:
        return
    if not is_home:
        move = await _move(begun)
        if move.result is not Moved.DONE:
            await _settle_failure(begun, move)
            return
        item = replace(item, folder_id=move.folder_id or item.folder_id)
    await _restore_read_state(begun, item)
    await _home(begun, item.folder_id)


async def end_if_home(errand: Errand) -> bool:
    """Settle a copy that an attempt without an answer has brought home; return whether it has.

    Raises:
        TransientError, PermanentError: see `ports.mailboxes`.
    """
    item = await errand.bench.mailboxes.look_up(errand.mailbox, errand.graph_message_id)
    if item is None or item.folder_id != errand.copy.target_folder:
        return False
    await _home(errand, item.folder_id)
    return True


async def _item(errand: Errand) -> FoundCopy | None:
    """Return the copy by its own id; where that is lost, the one copy that we put away.

    A Message-ID proves nothing: it must have the From, Date and Subject of the retracted message.
    """
    mailboxes, copy = errand.bench.mailboxes, errand.copy
    item = await mailboxes.look_up(errand.mailbox, errand.graph_message_id)
    if item is not None or copy.internet_message_id is None:
        return item
    found = await mailboxes.with_message_id(
        errand.mailbox, copy.internet_message_id, within=Folder.DELETIONS
    )
    expected = await _expected(errand)
    tags = errand.bench.subject_tags(copy.tenant)
    there = [
        one
        for one in found
        if one.folder_id == copy.folder_before
        and expected is not None
        and identity.is_exactly(expected, one.fingerprint, tags)
    ]
    return there[0] if len(there) == 1 else None


async def _expected(errand: Errand) -> Fingerprint | None:
    """Return what the copy must look like under another id; of replies we do not know."""
    if errand.copy.depth:
        return None
    undone = (errand.retraction.tenant, errand.retraction.subject_id)
    async with errand.bench.ledger.transaction() as ledger:
        subject = await ledger.retractions.get(*undone)
    return None if subject is None or subject.colliding else subject.expected


async def _begin(errand: Errand) -> Errand | None:
    copy, wish = errand.copy, errand.retraction.wish
    at = (copy.tenant, errand.mailbox.user_id, errand.graph_message_id)
    acted = copy.progress is CopyProgress.ACTING  # then it is brought to its end
    async with errand.bench.ledger.transaction() as ledger:
        runs = await is_running(ledger, errand.retraction)
        if await is_settled(ledger, copy):
            return None
        reason = objection(await ledger.states.get(*at), wish)
        reason = reason or (None if runs or acted else CANCELLED)
        if reason is None:
            copy = replace(copy, progress=CopyProgress.ACTING)
            await ledger.work.put_copy(copy, errand.bench.clock.now())
    if reason is not None:
        await _settle(errand, Outcome.UNTOUCHED, reason)
        return None
    return replace(errand, copy=copy)


async def _move(errand: Errand) -> Move:
    mailboxes, target = errand.bench.mailboxes, errand.copy.target_folder
    if target is not None:
        move = await mailboxes.move(errand.mailbox, errand.graph_message_id, target)
        if move.result is not Moved.NO_FOLDER:
            return move
    return await mailboxes.move(errand.mailbox, errand.graph_message_id, Folder.INBOX.value)


async def _settle_failure(errand: Errand, move: Move) -> None:
    if move.result is Moved.GONE:
        await _settle(errand, Outcome.ABSENT, USER_DELETED)
    elif move.result is Moved.BEYOND:
        await _settle(errand, Outcome.REFUSED, "hard_deleted")
    else:
        await _settle(errand, Outcome.FAILED, FOLDER_MISSING)


async def _restore_read_state(errand: Errand, item: FoundCopy) -> None:
    wanted = errand.copy.target_is_read
    if wanted is not None and item.is_read != wanted:
        await errand.bench.mailboxes.mark(errand.mailbox, errand.graph_message_id, is_read=wanted)


async def _home(errand: Errand, folder_id: str) -> None:
    copy, wish = errand.copy, errand.retraction.wish

    def landed(state: CopyState | None) -> CopyState:
        if state is not None and state.wish != wish:
            return replace(state, put_into=None)
        exempt = not wish.automatic or (state is not None and state.exempt)
        return CopyState(wish, exempt, folder_id, copy.target_is_read, put_into=None)

    await _settle(errand, Outcome.RESTORED, folder_after=folder_id, landed=landed)


async def _settle(
    errand: Errand,
    outcome: Outcome,
    reason: str | None = None,
    *,
    folder_after: str | None = None,
    landed: Landed | None = None,
) -> None:
    names = await errand.place.names_of([errand.copy.folder_before, folder_after])
    await settle(
        errand.bench,
        errand.copy,
        outcome,
        reason,
        folder_after=folder_after,
        landed=landed,
        names=names,
    )
