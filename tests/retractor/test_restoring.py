"""Undoing."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from libs.common.contracts.retraction import CopySettled
from tests.retractor.rig import SENT_AT, Mail, deliver, places, put, writes

ANN, BOB = "ann@acme.example", "bob@acme.example"
MAIL = Mail(to=(ANN, BOB))


async def taken(rig, simulator, destination="soft_delete", **more):
    await rig.journal(MAIL)
    retraction_id = await rig.retract(MAIL, destination, **more)
    await rig.finished(retraction_id)
    simulator.admin.reset_statistics()
    return retraction_id


@pytest.mark.parametrize("destination", ["junk", "trash", "soft_delete"])
async def test_copies_go_back_to_their_folders_read_or_unread_as_they_were(
    destination, rig, simulator
):
    deliver(simulator, MAIL)
    message_id = MAIL.internet_message_id
    simulator.admin.act(ANN, "move", internet_message_id=message_id, folder="Projects")
    simulator.admin.act(BOB, "read", internet_message_id=message_id)
    simulator.admin.act(BOB, "categorize", internet_message_id=message_id, categories=["Red"])
    before = facts(simulator)
    retraction_id = await taken(rig, simulator, destination)
    assert facts(simulator) != before

    await rig.restore(retraction_id)
    finished = await rig.finished(retraction_id, kind="restore")

    assert facts(simulator) == before
    assert finished.counts.restored == 2


def facts(simulator):
    copies = simulator.admin.copies(internet_message_id=MAIL.internet_message_id)
    return {one.mailbox: (one.folder, one.is_read, one.categories) for one in copies}


async def test_the_read_state_comes_back_even_if_it_changed_meanwhile(rig, simulator):
    deliver(simulator, MAIL)
    retraction_id = await taken(rig, simulator, "junk")
    simulator.admin.act(ANN, "read", internet_message_id=MAIL.internet_message_id)

    await rig.restore(retraction_id)
    await rig.finished(retraction_id, kind="restore")

    assert facts(simulator)[ANN] == ("inbox", False, ())


async def test_some_copies_can_be_restored_alone(rig, simulator, folders):
    deliver(simulator, MAIL)
    retraction_id = await taken(rig, simulator)
    [copy] = [one for one in rig.settled(retraction_id) if one.mailbox == ANN]

    await rig.restore(retraction_id, copy_ids=[copy.copy_id])
    await rig.finished(retraction_id, kind="restore")

    assert folders(MAIL.internet_message_id) == {
        "ann": "inbox",
        "bob": "recoverableitemsdeletions",
    }
    restored = [one for one in rig.published.contracts(CopySettled) if one.outcome == "restored"]
    assert [one.copy_id for one in restored] == [copy.copy_id]


async def test_a_folder_that_is_gone_is_replaced_by_the_inbox(rig, simulator, folders):
    deliver(simulator, MAIL, [ANN])
    retraction_id = await taken(rig, simulator, mailboxes=[ANN])
    async with rig.bench.ledger.transaction() as ledger:
        [copy] = await ledger.progress.copies("acme", retraction_id)
        state = await ledger.states.get("acme", copy.user_id, copy.graph_message_id)
        gone = state.origin_folder[:-8] + "AAAAAAA="
        await ledger.states.put(
            "acme", copy.user_id, copy.graph_message_id, replace(state, origin_folder=gone)
        )

    await rig.restore(retraction_id)
    finished = await rig.finished(retraction_id, kind="restore")

    assert finished.counts.restored == 1
    assert folders(MAIL.internet_message_id) == {"ann": "inbox"}


async def test_what_was_hard_deleted_only_an_administrator_brings_back(rig, simulator):
    deliver(simulator, MAIL)
    retraction_id = await taken(rig, simulator, "hard_delete")

    await rig.restore(retraction_id)
    finished = await rig.finished(retraction_id, kind="restore")

    assert finished.counts.refused == 2
    assert writes(simulator) == {}


async def test_no_machine_touches_a_restored_copy_again(rig, simulator, folders):
    deliver(simulator, MAIL)
    retraction_id = await taken(rig, simulator)
    await rig.restore(retraction_id)
    await rig.finished(retraction_id, kind="restore")

    automatic = await rig.retract(
        MAIL, publisher="classifier", mailboxes=MAIL.to, headers=MAIL.key_headers()
    )
    await rig.finished(automatic)

    assert rig.outcomes(automatic) == {ANN: ("untouched", "exempt"), BOB: ("untouched", "exempt")}
    assert set(folders(MAIL.internet_message_id).values()) == {"inbox"}


async def test_a_person_may(rig, simulator, folders):
    deliver(simulator, MAIL)
    retraction_id = await taken(rig, simulator)
    await rig.restore(retraction_id)
    await rig.finished(retraction_id, kind="restore")

    again = await rig.retract(MAIL, "trash")
    await rig.finished(again)

    assert set(folders(MAIL.internet_message_id).values()) == {"deleteditems"}


async def test_a_restored_message_is_no_standing_order_any_more(rig, simulator, folders):
    deliver(simulator, MAIL)
    await rig.journal(MAIL, to=[ANN])
    retraction_id = await rig.retract(MAIL)
    await rig.finished(retraction_id)
    await rig.restore(retraction_id)
    await rig.finished(retraction_id, kind="restore")

    await rig.journal(MAIL, to=[BOB])
    await rig.finished(await rig.retract(MAIL, mailboxes=[ANN], dry_run=True))

    assert folders(MAIL.internet_message_id)["bob"] == "inbox"


async def test_two_retractions_later_it_still_goes_back_to_where_it_was_at_first(
    rig, simulator, folders
):
    deliver(simulator, MAIL)
    simulator.admin.act(
        ANN, "move", internet_message_id=MAIL.internet_message_id, folder="Projects"
    )
    await taken(rig, simulator, "junk")
    second = await taken(rig, simulator, "soft_delete")

    await rig.restore(second)
    await rig.finished(second, kind="restore")

    assert folders(MAIL.internet_message_id)["ann"] == "Projects"


async def test_of_two_restores_under_one_id_that_come_at_once_one_stands(make_rig, pool):
    rig = make_rig()
    mails = [Mail(internet_message_id=f"<m{n}@evil.example>") for n in range(2)]
    for mail in mails:
        await rig.journal(mail)
    for _ in range(5):
        retractions = [await rig.retract(mail) for mail in mails]
        restore_id = uuid4()

        answers = await asyncio.gather(
            *(rig.restore(one, restore_id=restore_id) for one in retractions),
            return_exceptions=True,
        )

        refused = [str(one) for one in answers if isinstance(one, Exception)]
        assert refused == ["conflicting_retraction_id"]


@pytest.mark.parametrize(
    ("other", "outcome", "place"),
    [
        (MAIL, "restored", "inbox"),
        (Mail(sender="boss@partner.example"), "absent", "recoverableitemsdeletions"),
        (Mail(subject="Contract"), "absent", "recoverableitemsdeletions"),
        (Mail(sent_at=SENT_AT + timedelta(days=1)), "absent", "recoverableitemsdeletions"),
    ],
)
async def test_a_copy_under_a_new_id_comes_back_and_no_other_of_its_message_id(
    other, outcome, place, inside, office
):
    box = put(office, MAIL, ANN)
    await inside.journal(MAIL)
    inside.start()
    retraction_id = await inside.retract(MAIL, mailboxes=[ANN])
    await inside.finished(retraction_id)
    [moved] = box.items.values()
    box.items.clear()
    put(office, other, ANN)
    [item] = box.items.values()
    box.items["new"] = replace(item, graph_message_id="new", folder_id=moved.folder_id)
    del box.items[item.graph_message_id]

    await inside.restore(retraction_id)
    finished = await inside.finished(retraction_id, kind="restore")

    assert (finished.counts.model_dump()[outcome], places(box)) == (1, [place])


async def test_restoring_the_unknown_is_refused(make_rig):
    rig = make_rig()
    unknown = uuid4()
    await rig.restore(unknown)
    finished = await rig.finished(unknown, kind="restore")

    assert (finished.status, finished.reason) == ("refused", "unknown_retraction")
