"""Finds the copies of a message in one mailbox, and says which of them may be touched."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from libs.common.contracts.retraction import Outcome
from libs.common.errors import UndeliverError
from services.retractor.domain import identity
from services.retractor.domain.mail import Fingerprint, FoundCopy, Mailbox, Message
from services.retractor.domain.retraction import (
    Copy,
    Retraction,
    Search,
    Status,
    Trials,
    found_copy,
    left_out,
)
from services.retractor.ports.ledger import MAX_MESSAGES
from services.retractor.ports.mailboxes import Folder
from services.retractor.workers.bench import Bench
from services.retractor.workers.following import Family, follow, join
from services.retractor.workers.place import FOLDER_OF, Place, folders_to_compare
from services.retractor.workers.settling import CANCELLED, close_search, finish_if_done

#: Other messages under the same Message-ID; None = more than can be told apart.
Rivals = Sequence[Fingerprint] | None


async def search(bench: Bench, place: Place, wanted: Search) -> None:
    """Look for a message in a mailbox; enter what is found, or come back later.

    A second run enters the same copies under the same ids.

    Raises:
        TransientError, PermanentError: see `ports.mailboxes`.
    """
    async with bench.ledger.transaction() as ledger:
        retraction = await ledger.retractions.get(wanted.tenant, wanted.retraction_id)
    if retraction is None or retraction.status is not Status.RUNNING:
        await close_search(bench, wanted, Outcome.UNTOUCHED, CANCELLED)
        return
    mailbox = await place.mailbox()
    objection = await bench.protection.objection(mailbox)
    if objection is not None:  # by another address than the guard knew
        await close_search(bench, wanted, *objection)
        return
    found = await _found(bench, place, mailbox, wanted, retraction)
    rivals = await _rivals(bench, place, retraction, wanted)
    tags = bench.subject_tags(wanted.tenant)
    judged = [(item, _verdict(wanted, rivals, item, tags)) for item in found]
    accepted = [item for item, verdict in judged if verdict is None]
    family = Family()
    if accepted and wanted.depth < retraction.depth:
        family = await follow(bench, mailbox, retraction, wanted, accepted)
    rows = [_row(retraction, wanted, mailbox, item, verdict) for item, verdict in judged]
    await _enter(bench, retraction, wanted, rows, family, is_there=bool(accepted))


async def _found(
    bench: Bench, place: Place, mailbox: Mailbox, wanted: Search, retraction: Retraction
) -> Sequence[FoundCopy]:
    """Return all copies; those that the user (or we) deleted before where that matters.

    The ids of the folders that matter are learned beside the search, so that they cost no time.
    """
    destination = FOLDER_OF[retraction.wish.destination]
    try:
        async with asyncio.TaskGroup() as calls:
            visible = calls.create_task(
                bench.mailboxes.with_message_id(mailbox, wanted.internet_message_id)
            )
            calls.create_task(place.folders(folders_to_compare(retraction.wish.destination)))
    except ExceptionGroup as failures:
        # Not `except*`: before Python 3.11.4 what it raises comes out as a group again.
        known, bugs = failures.split(UndeliverError)
        if known is None or bugs is not None:
            raise
        raise known.exceptions[0] from None
    found = list(visible.result())
    if not found or destination is Folder.PURGES:
        found += await bench.mailboxes.with_message_id(
            mailbox, wanted.internet_message_id, within=Folder.DELETIONS
        )
    return found


async def _rivals(bench: Bench, place: Place, retraction: Retraction, wanted: Search) -> Rivals:
    """Return what else this mailbox received under the same Message-ID, by any of its addresses.

    What others received is no rival: mail that differs from one recipient to the next is common.
    """
    tenant, message_id = wanted.tenant, wanted.internet_message_id
    if wanted.depth:
        return ()
    async with bench.ledger.transaction() as ledger:
        alike = await ledger.mail.messages(tenant, internet_message_id=message_id, message_key=None)
    if len(alike) <= 1 and all(_is_own(one, retraction, wanted) for one in alike):
        return ()  # spares the question for the addresses
    addresses = await place.addresses()
    async with bench.ledger.transaction() as ledger:
        received = await ledger.mail.messages_received_by(tenant, message_id, addresses)
    if len(received) >= MAX_MESSAGES:
        return None
    own = next((one for one in received if _is_own(one, retraction, wanted)), None)
    return [one.fingerprint for one in received if one is not own]


def _is_own(message: Message, retraction: Retraction, wanted: Search) -> bool:
    """Return whether it is the message that is to be retracted."""
    if retraction.message_key is not None:
        return message.message_key == retraction.message_key
    return message.fingerprint == wanted.expected


def _verdict(
    wanted: Search, rivals: Rivals, item: FoundCopy, tags: Sequence[str]
) -> tuple[Outcome, str] | None:
    """Return why a copy is left alone; None where it is the one that was meant."""
    if not identity.is_same_mail(wanted.expected, item.fingerprint, tags):
        return Outcome.REFUSED, identity.IDENTITY_MISMATCH
    if rivals is None or (
        rivals and not identity.singles_out(wanted.expected, rivals, item.fingerprint, tags)
    ):
        return Outcome.UNTOUCHED, identity.AMBIGUOUS_COPY
    return None


def _row(
    retraction: Retraction,
    wanted: Search,
    mailbox: Mailbox,
    item: FoundCopy,
    verdict: tuple[Outcome, str] | None,
) -> Copy:
    row = found_copy(retraction, mailbox, item, wanted.depth, wanted.matched_by)
    if verdict is None:
        return row
    outcome, reason = verdict
    return replace(row, outcome=outcome, reason=reason)


async def _enter(
    bench: Bench,
    retraction: Retraction,
    wanted: Search,
    rows: Sequence[Copy],
    family: Family,
    *,
    is_there: bool,
) -> None:
    now = bench.clock.now()
    looks = bench.pace.late_looks_seconds
    may_come = wanted.role != "sender" and not retraction.dry_run and wanted.looks < len(looks)
    rows = [*rows, *family.copies]
    may_be_there = is_there or any(row.reason == identity.AMBIGUOUS_COPY for row in rows)
    if not may_be_there and not may_come:
        message_id, absent = wanted.internet_message_id, Outcome.ABSENT
        rows.append(
            left_out(retraction, wanted.mailbox, message_id, absent, None, depth=wanted.depth)
        )
    async with bench.ledger.transaction() as ledger:
        current = await ledger.retractions.get(wanted.tenant, wanted.retraction_id, locked=True)
        if current is None or not current.is_open:
            return  # another visit has taken over, and ended it
        searches, left = await join(bench, ledger, current, family)
        await ledger.work.enter_copies([*rows, *left], now)
        await ledger.work.add_searches(searches, now)
        unreachable = tuple(sorted({*current.unreachable, *family.unreachable}))
        if unreachable != current.unreachable:
            current = replace(current, unreachable=unreachable)
            await ledger.retractions.put(current)
        if not is_there and may_come:
            seen = replace(wanted, looks=wanted.looks + 1, trials=Trials())
            due_at = now + timedelta(seconds=looks[wanted.looks])
            await ledger.work.put_search(seen, due_at)
            return
        await ledger.work.put_search(wanted, None)
        await finish_if_done(bench, ledger, current)
