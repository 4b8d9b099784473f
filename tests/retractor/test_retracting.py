"""Taking mail back, from the command to the mailboxes."""

import asyncio
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from libs.common.contracts.mail import Direction
from libs.common.contracts.retraction import (
    CopySettled,
    RetractionAccepted,
    RetractionFinished,
    RetractionPlanned,
    RetractMail,
)
from libs.common.errors import PermanentError
from services.retractor import metrics
from tests.retractor.rig import TENANT, Mail, deliver, writes

ANN, BOB, CAT = "ann@acme.example", "bob@acme.example", "cat@acme.example"
PHISH = Mail(to=(ANN, BOB))


@pytest.mark.parametrize(
    ("destination", "folder"),
    [
        ("junk", "junkemail"),
        ("trash", "deleteditems"),
        ("soft_delete", "recoverableitemsdeletions"),
        ("hard_delete", "recoverableitemspurges"),
    ],
)
async def test_every_copy_goes_where_the_command_says(destination, folder, rig, simulator, folders):
    deliver(simulator, PHISH)
    await rig.journal(PHISH)

    retraction_id = await rig.retract(PHISH, destination)
    finished = await rig.finished(retraction_id)

    assert folders(PHISH.internet_message_id) == {"ann": folder, "bob": folder}
    assert (finished.status, finished.counts.moved) == ("finished", 2)
    assert {one.folder_before for one in rig.settled(retraction_id)} == {"inbox"}
    assert {one.folder_after for one in rig.settled(retraction_id)} == {folder}
    assert rig.published.contracts(RetractionAccepted)[0].mailboxes == 2


async def test_only_named_mailboxes_are_touched(rig, simulator, folders):
    deliver(simulator, PHISH)
    await rig.journal(PHISH)

    await rig.finished(await rig.retract(PHISH, mailboxes=[BOB]))

    assert folders(PHISH.internet_message_id) == {
        "ann": "inbox",
        "bob": "recoverableitemsdeletions",
    }


async def test_an_internal_senders_own_copy_goes_too(rig, simulator, folders):
    mail = Mail(sender=CAT, to=(ANN,))
    deliver(simulator, mail)
    await rig.journal(mail, direction=Direction.INTERNAL)

    await rig.finished(await rig.retract(mail, "trash"))

    assert folders(mail.internet_message_id) == {"ann": "deleteditems", "cat": "deleteditems"}


async def test_a_copy_that_is_there_already_is_left_there(rig, simulator):
    deliver(simulator, PHISH)
    await rig.journal(PHISH)
    await rig.finished(await rig.retract(PHISH, "junk"))
    simulator.admin.reset_statistics()

    again = await rig.retract(PHISH, "junk")
    finished = await rig.finished(again)

    assert finished.counts.already_there == 2
    assert writes(simulator) == {}


async def test_what_its_user_has_deleted_is_not_brought_nearer(rig, simulator, folders):
    deliver(simulator, PHISH)
    simulator.admin.act(ANN, "soft_delete", internet_message_id=PHISH.internet_message_id)
    await rig.journal(PHISH)

    retraction_id = await rig.retract(PHISH, "junk")
    await rig.finished(retraction_id)

    assert rig.outcomes(retraction_id)[ANN] == ("already_there", "user_deleted")
    assert folders(PHISH.internet_message_id)["ann"] == "recoverableitemsdeletions"


async def test_a_hard_delete_reaches_what_its_user_can_still_recover(rig, simulator, folders):
    deliver(simulator, PHISH)
    simulator.admin.act(ANN, "soft_delete", internet_message_id=PHISH.internet_message_id)
    await rig.journal(PHISH)

    await rig.finished(await rig.retract(PHISH, "hard_delete"))

    assert folders(PHISH.internet_message_id)["ann"] == "recoverableitemspurges"


async def test_a_copy_that_arrives_after_its_report_is_found_by_a_later_look(
    rig, simulator, folders
):
    await rig.journal(PHISH)
    retraction_id = await rig.retract(PHISH, mailboxes=[ANN])
    async with asyncio.timeout(5):
        while "list_messages" not in simulator.admin.statistics()["calls"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    deliver(simulator, PHISH, [ANN])
    finished = await rig.finished(retraction_id)

    assert finished.counts.moved == 1
    assert folders(PHISH.internet_message_id) == {"ann": "recoverableitemsdeletions"}


async def test_a_copy_that_never_arrives_is_absent_in_the_end(rig):
    await rig.journal(PHISH)

    retraction_id = await rig.retract(PHISH, mailboxes=[ANN])
    await rig.finished(retraction_id)

    assert rig.outcomes(retraction_id) == {ANN: ("absent", None)}


async def test_the_classifier_need_not_wait_for_our_own_knowledge(rig, simulator, folders):
    deliver(simulator, PHISH)

    retraction_id = await rig.retract(
        PHISH,
        publisher="classifier",
        message_key=PHISH.message_key,
        headers=PHISH.key_headers(),
        mailboxes=PHISH.to,
    )
    await rig.finished(retraction_id)

    assert set(folders(PHISH.internet_message_id).values()) == {"recoverableitemsdeletions"}
    assert all(one.automatic for one in rig.settled(retraction_id))


async def test_nobody_else_is_believed_what_the_headers_are(rig, simulator, folders):
    victim = Mail(sender="boss@acme.example", subject="Salaries")
    deliver(simulator, victim)

    retraction_id = await rig.retract(
        victim, publisher="soar", destination="trash", headers=victim.key_headers(), mailboxes=[ANN]
    )

    accepted = rig.published.contracts(RetractionAccepted)
    assert [one.status for one in accepted] == ["waiting"]
    assert not rig.settled(retraction_id)
    assert folders(victim.internet_message_id)["ann"] == "inbox"


async def test_a_redelivered_command_announces_what_the_first_one_did(rig, simulator):
    deliver(simulator, PHISH)
    await rig.journal(PHISH)
    command = command_for(PHISH)
    message_id = await rig.handle(command)
    await rig.finished(command.retraction_id)
    before = {(one.message_id, one.body) for one in rig.published.messages}
    simulator.admin.reset_statistics()

    await rig.handle(command, message_id=message_id)
    await asyncio.sleep(0.2)

    assert {(one.message_id, one.body) for one in rig.published.messages} == before
    assert writes(simulator) == {}


async def test_the_same_command_under_another_message_id_changes_nothing(rig, simulator):
    deliver(simulator, PHISH)
    await rig.journal(PHISH)
    command = command_for(PHISH)
    await rig.handle(command)
    await rig.finished(command.retraction_id)

    await rig.handle(command)

    assert len(rig.published.contracts(CopySettled)) == 2
    bodies = {one.model_dump_json() for one in rig.published.contracts(RetractionAccepted)}
    assert len(bodies) == 1


@pytest.mark.parametrize("publisher", ["cli", "soar"])
async def test_a_taken_id_is_no_way_to_change_a_retraction(publisher, make_rig):
    rig = make_rig()
    await rig.journal(PHISH)
    command = command_for(PHISH)
    await rig.handle(command)
    other = command.model_copy(update={"destination": "trash"})

    with pytest.raises(PermanentError, match="conflicting_retraction_id"):
        await rig.handle(other if publisher == "cli" else command, publisher)


async def test_of_two_commands_under_one_id_that_come_at_once_one_stands(make_rig, pool):
    rig = make_rig()
    other = Mail(internet_message_id="<m2@evil.example>", to=(CAT,))
    await rig.journal(PHISH)
    await rig.journal(other)
    for _ in range(5):
        first = command_for(PHISH)
        second = first.model_copy(update={"internet_message_id": other.internet_message_id})

        answers = await asyncio.gather(
            rig.handle(first), rig.handle(second), return_exceptions=True
        )

        refused = [str(one) for one in answers if isinstance(one, Exception)]
        assert refused == ["conflicting_retraction_id"]
        mailboxes = await pool.fetch(
            "select mailbox from searches where retraction_id = $1", first.retraction_id
        )
        assert {row["mailbox"] for row in mailboxes} in ({ANN, BOB}, {CAT})


async def test_a_dry_run_tells_the_plan_and_writes_nothing(rig, simulator, folders):
    deliver(simulator, PHISH)
    await rig.journal(PHISH)

    retraction_id = await rig.retract(PHISH, "hard_delete", dry_run=True)
    finished = await rig.finished(retraction_id)

    [plan] = rig.published.contracts(RetractionPlanned)
    assert {(one.mailbox, one.outcome) for one in plan.copies} == {(ANN, "moved"), (BOB, "moved")}
    assert (finished.status, finished.counts.untouched) == ("finished", 2)
    assert writes(simulator) == {}
    assert set(folders(PHISH.internet_message_id).values()) == {"inbox"}
    assert not rig.settled(retraction_id)


async def test_a_dry_run_counts_no_copy(rig, simulator):
    deliver(simulator, PHISH)
    await rig.journal(PHISH)
    counter = metrics.COPIES.labels(outcome="moved")
    before = counter.collect()[0].samples[0].value

    with capture_logs() as logs:
        await rig.finished(await rig.retract(PHISH, dry_run=True))
        for _ in range(500):  # said after the transaction
            if sum(one["event"].startswith("copy_") for one in logs) == 2:
                break
            await asyncio.sleep(0.01)

    assert [one["event"] for one in logs].count("copy_planned") == 2
    assert counter.collect()[0].samples[0].value == before


async def test_a_read_receipt_that_was_asked_for_is_never_sent(rig, simulator):
    spy = Mail(headers=(("Disposition-Notification-To", "mallory@evil.example"),))
    deliver(simulator, spy)
    await rig.journal(spy)

    await rig.finished(await rig.retract(spy, "hard_delete"))

    assert simulator.admin.receipts() == []


async def test_a_command_that_names_no_message_is_not_understood(make_rig):
    rig = make_rig()
    with pytest.raises(PermanentError, match="names_no_message"):
        await rig.retract(PHISH, internet_message_id=None)


async def test_a_message_id_of_any_length_and_kind_is_only_text(rig, simulator, folders):
    odd = Mail(internet_message_id="<o'dd+%/#&?$" + "x" * 900 + "@evil.example>")
    deliver(simulator, odd)
    await rig.journal(odd)

    await rig.finished(await rig.retract(odd))

    assert set(folders(odd.internet_message_id).values()) == {"recoverableitemsdeletions"}


async def test_nothing_is_announced_twice(rig, simulator):
    deliver(simulator, PHISH)
    await rig.journal(PHISH)
    await rig.finished(await rig.retract(PHISH))
    await asyncio.sleep(0.2)

    ids = [one.message_id for one in rig.published.messages]
    assert len(ids) == len(set(ids))
    assert len(rig.published.contracts(RetractionFinished)) == 1


def command_for(mail):
    return RetractMail(
        tenant=TENANT,
        retraction_id=uuid4(),
        internet_message_id=mail.internet_message_id,
        destination="soft_delete",
        reason="phish",
        requested_by="pat",
    )
