"""Takes one copy out of its user's sight."""

from dataclasses import replace

from libs.common.contracts.retraction import Destination, Outcome
from libs.common.errors import TransientError
from services.retractor.domain.desired import (
    CopyState,
    Wish,
    is_milder,
    objection,
    origin_of,
)
from services.retractor.domain.mail import FoundCopy
from services.retractor.domain.retraction import Copy, CopyProgress, Status
from services.retractor.ports.mailboxes import Folder, Move, Moved
from services.retractor.workers.errands import FOLDER_MISSING, USER_DELETED, Errand
from services.retractor.workers.place import FOLDER_OF, folders_to_compare
from services.retractor.workers.settling import CANCELLED, is_running, is_settled


async def remove(errand: Errand) -> None:
    """Bring a copy to the retraction's destination, or say why not.

    The ledger's row is written before Graph is called; after a crash or an unclear answer the copy
    is looked at before anything is tried again.

    Raises:
        TransientError, PermanentError: see `ports.mailboxes`.
    """
    acting = errand.copy.progress is CopyProgress.ACTING
    if await _is_called_off(errand, acting=acting):
        return
    if acting or errand.is_stale:
        item = await errand.bench.mailboxes.look_up(errand.mailbox, errand.graph_message_id)
        errand = replace(errand, unsure=acting)
        if acting and await _end_if_moved(errand, item):
            return
        if await _is_called_off(errand):
            return
        if item is None:
            await _gone(errand)
            return
        errand = replace(errand, copy=_as_found(errand.copy, item))
    settled = await _without_write(errand)
    if settled or errand.retraction.dry_run:
        return
    begun = await _begin(errand)
    if begun is not None:
        await _write(begun)


async def _is_called_off(errand: Errand, *, acting: bool = False) -> bool:
    """Settle a copy of a cancelled retraction, unless its move may be under way."""
    if acting or errand.retraction.status is not Status.CANCELLING:
        return False
    await errand.settle(Outcome.UNTOUCHED, CANCELLED)
    return True


def _as_found(copy: Copy, item: FoundCopy) -> Copy:
    return replace(
        copy,
        folder_before=item.folder_id,
        was_read=item.is_read,
        receipt_requested=item.receipt_requested,
    )


async def end_if_moved(errand: Errand) -> bool:
    """Settle a copy that an attempt without an answer has moved; return whether it has.

    Raises:
        TransientError, PermanentError: see `ports.mailboxes`.
    """
    item = await errand.bench.mailboxes.look_up(errand.mailbox, errand.graph_message_id)
    return await _end_if_moved(errand, item)


async def _end_if_moved(errand: Errand, item: FoundCopy | None) -> bool:
    if not await _has_happened(errand, item):
        return False
    await _arrived(errand, None if item is None else item.folder_id)
    return True


async def _without_write(errand: Errand) -> bool:
    """Settle a copy that needs no move: there already, or in a place that we do not weaken."""
    here = errand.copy.folder_before
    folders = await errand.place.folders(folders_to_compare(errand.destination))
    for destination, folder in FOLDER_OF.items():
        if folders.get(folder) != here or here is None:
            continue
        if destination is errand.destination:
            await errand.settle(Outcome.ALREADY_THERE)
            return True
        if is_milder(errand.destination, destination):
            state = await _state(errand)
            if _may_weaken(errand, destination, state):
                break
            reason = objection(state, errand.retraction.wish) or USER_DELETED
            await errand.settle(Outcome.ALREADY_THERE, reason)
            return True
    if errand.retraction.dry_run:
        await _plan(errand)
    return False


def _may_weaken(errand: Errand, present: Destination, state: CopyState | None) -> bool:
    """Return whether a copy in a harsher place may come nearer to its user.

    Only a person may ask for it, and out of Recoverable Items only what we put there: what the
    user has deleted is not brought back.
    """
    if errand.retraction.wish.automatic:
        return False
    if present is not Destination.SOFT_DELETE:
        return True
    return state is not None and state.put_into == errand.copy.folder_before


async def _state(errand: Errand) -> CopyState | None:
    async with errand.bench.ledger.transaction() as ledger:
        return await ledger.states.get(
            errand.copy.tenant, errand.mailbox.user_id, errand.graph_message_id
        )


async def _plan(errand: Errand) -> None:
    """Say what a retraction would do; a dry run ends here, before anything is written."""
    reason = objection(await _state(errand), errand.retraction.wish)
    await errand.settle(Outcome.UNTOUCHED if reason else Outcome.MOVED, reason)


def _wished(wish: Wish) -> CopyState:
    return CopyState(wish, exempt=False, origin_folder=None, origin_was_read=None, put_into=None)


async def _begin(errand: Errand) -> Errand | None:
    """Write the desired state and that we are about to act; None where we must not any more.

    Another wish stands, or the retraction was called off while we looked at the mailbox. Whoever
    calls it off after this finds a copy that is on its way.
    """
    copy, wish = errand.copy, errand.retraction.wish
    at = (copy.tenant, errand.mailbox.user_id, errand.graph_message_id)
    async with errand.bench.ledger.transaction() as ledger:
        runs = await is_running(ledger, errand.retraction)
        if await is_settled(ledger, copy):
            return None
        state = await ledger.states.get(*at)
        reason = objection(state, wish) or (None if runs else CANCELLED)
        if reason is None:
            here, was_read = copy.folder_before or "", bool(copy.was_read)
            origin, origin_was_read = origin_of(state, here, was_read)
            wished = CopyState(
                wish=wish,
                exempt=state is not None and state.exempt,
                origin_folder=origin,
                origin_was_read=origin_was_read,
                put_into=None if state is None else state.put_into,
            )
            await ledger.states.put(*at, wished)
            copy = replace(copy, progress=CopyProgress.ACTING)
            await ledger.work.put_copy(copy, errand.bench.clock.now())
    if reason is not None:
        await errand.settle(Outcome.UNTOUCHED, reason)
        return None
    return replace(errand, copy=copy)


async def _write(errand: Errand) -> None:
    mailboxes, copy = errand.bench.mailboxes, errand.copy
    if copy.receipt_requested and not copy.was_read:
        # Deleting it unread would tell the sender so (capability D11).
        await mailboxes.mark(errand.mailbox, errand.graph_message_id, no_receipt=True)
    if errand.destination is Destination.HARD_DELETE:
        move = await mailboxes.purge(errand.mailbox, errand.graph_message_id)
    else:
        folder = FOLDER_OF[errand.destination]
        move = await mailboxes.move(errand.mailbox, errand.graph_message_id, folder.value)
    await _conclude(errand, move)


async def _conclude(errand: Errand, move: Move) -> None:
    match move.result:
        case Moved.DONE:
            await _arrived(errand, move.folder_id)
        case Moved.BEYOND:
            if errand.unsure:
                await _arrived(errand, move.folder_id)
            else:
                await errand.settle(Outcome.ALREADY_THERE)
        case Moved.NO_FOLDER:
            await errand.settle(Outcome.FAILED, FOLDER_MISSING)
        case Moved.GONE:
            await _gone(errand)


async def _gone(errand: Errand) -> None:
    """Look once more for an item that was there a moment ago."""
    message_id = errand.copy.internet_message_id
    found: list[FoundCopy] = []
    if message_id is not None:
        mailboxes = errand.bench.mailboxes
        found = list(await mailboxes.with_message_id(errand.mailbox, message_id))
        if not found:
            found = list(
                await mailboxes.with_message_id(errand.mailbox, message_id, within=Folder.DELETIONS)
            )
    if any(item.graph_message_id == errand.graph_message_id for item in found):
        raise TransientError("item_moving")
    if errand.unsure and errand.destination is Destination.HARD_DELETE:
        await _arrived(errand, None)  # an earlier attempt with an unclear answer has done it
        return
    await errand.settle(Outcome.ABSENT, USER_DELETED)


async def _has_happened(errand: Errand, item: FoundCopy | None) -> bool:
    """Return whether an attempt whose answer we never saw was carried out."""
    if item is None:
        return errand.destination is Destination.HARD_DELETE
    folder = FOLDER_OF[errand.destination]
    folders = await errand.place.folders([folder])
    return folders.get(folder) == item.folder_id


async def _arrived(errand: Errand, folder_id: str | None) -> None:
    wish = errand.retraction.wish
    if folder_id is None and errand.destination is not Destination.HARD_DELETE:
        folder = FOLDER_OF[errand.destination]
        folder_id = (await errand.place.folders([folder])).get(folder)

    def landed(state: CopyState | None) -> CopyState:
        return replace(state or _wished(wish), put_into=folder_id)

    await errand.settle(Outcome.MOVED, folder_after=folder_id, landed=landed)
