"""A Message-ID is written by the sender: it must not lead us to somebody else's mail."""

from dataclasses import replace
from datetime import timedelta

import pytest

from libs.common.contracts.retraction import RetractionHeld
from libs.common.errors import TransientError
from services.retractor.domain.mail import Fingerprint, FoundCopy
from tests.retractor.rig import SENT_AT, TENANT, Mail, deliver, places, put

ANN, BOB = "ann@acme.example", "bob@acme.example"
ALIAS = "ann.alias@acme.example"
INNOCENT = Mail(
    sender="boss@partner.example",
    to=(ANN, BOB),
    subject="Contract",
    internet_message_id="<shared@partner.example>",
    sent_at=SENT_AT - timedelta(days=3),
)
PHISH = Mail(to=(ANN,), internet_message_id=INNOCENT.internet_message_id)
#: As `PHISH`, but with the innocent message's From and Subject forged, too.
FORGED = Mail(
    sender=INNOCENT.sender,
    to=(ANN,),
    subject=INNOCENT.subject,
    internet_message_id=INNOCENT.internet_message_id,
)


def by_subject(simulator, mail):
    copies = simulator.admin.copies(internet_message_id=mail.internet_message_id)
    return {(copy.mailbox.partition("@")[0], copy.subject): copy.folder for copy in copies}


async def test_an_innocent_message_under_the_same_id_stays(rig, simulator):
    deliver(simulator, INNOCENT)
    deliver(simulator, PHISH)
    await rig.journal(INNOCENT)
    await rig.journal(PHISH)

    retraction_id = await rig.retract(PHISH, message_key=PHISH.message_key)
    finished = await rig.finished(retraction_id)

    assert by_subject(simulator, PHISH) == {
        ("ann", "Contract"): "inbox",
        ("bob", "Contract"): "inbox",
        ("ann", "Your invoice"): "recoverableitemsdeletions",
    }
    assert (finished.counts.moved, finished.counts.refused) == (1, 1)


async def test_it_stays_even_if_only_the_attackers_message_was_journaled(rig, simulator):
    deliver(simulator, INNOCENT)
    await rig.journal(PHISH, to=[ANN, BOB])

    retraction_id = await rig.retract(PHISH)
    await rig.finished(retraction_id)

    assert set(by_subject(simulator, INNOCENT).values()) == {"inbox"}
    reasons = {(one.outcome, one.reason) for one in rig.settled(retraction_id)}
    assert reasons == {("refused", "identity_mismatch"), ("absent", None)}


async def test_where_two_headers_are_forged_the_third_decides(rig, simulator):
    deliver(simulator, INNOCENT)
    deliver(simulator, FORGED)
    await rig.journal(INNOCENT)
    await rig.journal(FORGED)

    retraction_id = await rig.retract(FORGED, message_key=FORGED.message_key, mailboxes=[ANN])
    await rig.finished(retraction_id)

    left = [one.reason for one in rig.settled(retraction_id) if one.outcome == "untouched"]
    assert left == ["ambiguous_copy"]
    folders = {
        copy.delivered_at: copy.folder
        for copy in simulator.admin.copies(
            internet_message_id=FORGED.internet_message_id, mailbox=ANN
        )
    }
    assert [folders[at] for at in sorted(folders)] == ["inbox", "recoverableitemsdeletions"]


async def test_a_forgery_sent_to_an_alias_takes_no_innocent_copy_with_it(rig, simulator):
    deliver(simulator, INNOCENT)
    deliver(simulator, FORGED, [ALIAS])
    await rig.journal(INNOCENT)
    await rig.journal(FORGED, to=[ALIAS])

    retraction_id = await rig.retract(FORGED, message_key=FORGED.message_key)
    finished = await rig.finished(retraction_id)

    assert (finished.counts.moved, finished.counts.untouched) == (1, 1)
    copies = simulator.admin.copies(internet_message_id=FORGED.internet_message_id, mailbox=ANN)
    assert sorted(one.folder for one in copies) == ["inbox", "recoverableitemsdeletions"]


@pytest.mark.parametrize("address", [ALIAS, "ann+news@acme.example"])
async def test_nor_does_one_whose_innocent_twin_came_by_an_alias(address, rig, simulator):
    deliver(simulator, INNOCENT)
    deliver(simulator, FORGED)
    await rig.journal(INNOCENT, to=[address])
    await rig.journal(FORGED)

    retraction_id = await rig.retract(FORGED, message_key=FORGED.message_key)
    finished = await rig.finished(retraction_id)

    assert (finished.counts.moved, finished.counts.untouched) == (1, 1)
    copies = simulator.admin.copies(internet_message_id=FORGED.internet_message_id, mailbox=ANN)
    assert sorted(one.folder for one in copies) == ["inbox", "recoverableitemsdeletions"]


async def test_nothing_is_touched_while_a_mailboxs_addresses_are_unknown(inside, office):
    box = put(office, PHISH, ANN)

    async def fail(operation):
        if operation == "addresses":
            raise TransientError("graph_unavailable")

    office.before = fail
    await inside.journal(replace(PHISH, text="Other"), to=[BOB])
    await inside.journal(PHISH)
    inside.start()
    retraction_id = await inside.retract(PHISH, message_key=PHISH.message_key)
    finished = await inside.finished(retraction_id)

    assert (finished.counts.failed, finished.counts.moved) == (1, 0)
    assert places(box) == ["inbox"]


async def test_the_classifiers_own_report_may_be_the_second_one(rig, simulator):
    deliver(simulator, INNOCENT)
    deliver(simulator, FORGED)
    await rig.journal(INNOCENT)

    retraction_id = await rig.retract(
        FORGED,
        publisher="classifier",
        message_key=FORGED.message_key,
        headers=FORGED.key_headers(),
        mailboxes=[ANN],
    )
    finished = await rig.finished(retraction_id)

    assert (finished.counts.moved, finished.counts.untouched) == (1, 1)


async def test_more_messages_under_one_id_than_can_be_told_apart_are_left_alone(rig, simulator):
    deliver(simulator, PHISH)
    await rig.journal(PHISH)
    for number in range(100):
        await rig.journal(replace(PHISH, text=f"Variant {number}", subject=f"Invoice {number}"))

    retraction_id = await rig.retract(PHISH, message_key=PHISH.message_key)
    finished = await rig.finished(retraction_id)

    assert (finished.counts.moved, finished.counts.untouched) == (0, 1)
    assert set(by_subject(simulator, PHISH).values()) == {"inbox"}


async def test_a_copy_that_nothing_singles_out_waits_for_a_person(rig, simulator):
    twin = Mail(
        sender=INNOCENT.sender,
        to=(ANN,),
        subject=INNOCENT.subject,
        internet_message_id=INNOCENT.internet_message_id,
        sent_at=INNOCENT.sent_at,
        text="Other bank account!",
    )
    deliver(simulator, INNOCENT)
    deliver(simulator, twin)
    await rig.journal(INNOCENT)
    await rig.journal(twin)

    retraction_id = await rig.retract(twin, message_key=twin.message_key, mailboxes=[ANN])
    finished = await rig.finished(retraction_id)

    assert (finished.counts.untouched, finished.counts.absent) == (2, 0)
    assert set(by_subject(simulator, twin).values()) == {"inbox"}


async def test_behind_an_ambiguous_copy_the_right_one_is_still_awaited(inside, office):
    box = put(office, INNOCENT, ANN)
    late = FoundCopy(
        graph_message_id="late",
        internet_message_id=FORGED.internet_message_id,
        folder_id=box.folders["inbox"],
        fingerprint=Fingerprint(FORGED.sender, FORGED.sent_at, FORGED.subject),
        received_at=FORGED.sent_at,
        is_read=False,
    )
    looks = []

    async def arrive_later(operation):
        if operation == "with_message_id":
            looks.append(operation)
            if len(looks) == 2:
                office.put(TENANT, ANN, late)

    office.before = arrive_later
    await inside.journal(INNOCENT)
    await inside.journal(FORGED)
    inside.start()
    counts = (
        await inside.finished(await inside.retract(FORGED, message_key=FORGED.message_key))
    ).counts

    assert (counts.moved, counts.untouched, counts.absent) == (1, 1, 0)
    assert places(box) == ["inbox", "recoverableitemsdeletions"]


async def test_a_retraction_that_fits_several_messages_is_held(make_rig):
    rig = make_rig()
    await rig.journal(INNOCENT)
    await rig.journal(PHISH)

    await rig.retract(PHISH)

    [held] = rig.published.contracts(RetractionHeld)
    assert held.reason == "ambiguous_message"


async def test_tags_that_the_tenants_rules_add_make_no_difference(make_rig, simulator, folders):
    rig = make_rig(subject_tags=("[EXTERNAL]",))
    rig.start()
    written = Mail()
    tagged = Mail(subject="[EXTERNAL] Your invoice", sent_at=SENT_AT + timedelta(minutes=1))
    deliver(simulator, tagged)
    await rig.journal(written)

    await rig.finished(await rig.retract(written))

    assert set(folders(written.internet_message_id).values()) == {"recoverableitemsdeletions"}


async def test_a_senders_claim_to_a_key_of_another_message_is_refused(make_rig):
    rig = make_rig()
    await rig.journal(INNOCENT)

    retraction_id = await rig.retract(
        Mail(internet_message_id="<other@evil.example>"), message_key=INNOCENT.message_key
    )
    finished = await rig.finished(retraction_id)

    assert (finished.status, finished.reason) == ("refused", "message_mismatch")
