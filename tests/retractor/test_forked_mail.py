"""One Message-ID, another text for each mailbox: mail merges, disclaimers, and attackers."""

from dataclasses import replace

import pytest

from tests.retractor.rig import Mail, deliver

ANN, BOB = "ann@acme.example", "bob@acme.example"
TO_ANN = Mail(to=(ANN,), text="Dear Ann, pay now.")
TO_BOB = Mail(to=(BOB,), text="Dear Bob, pay now.")
GONE = "recoverableitemsdeletions"


@pytest.mark.parametrize("publisher", ["classifier", "cli"])
async def test_personalised_mail_is_retracted_from_each_mailbox(publisher, rig, simulator, folders):
    for mail in (TO_ANN, TO_BOB):
        deliver(simulator, mail)
        await rig.journal(mail)

    for mail in (TO_ANN, TO_BOB):
        retraction_id = await rig.retract(
            mail, publisher=publisher, message_key=mail.message_key, headers=mail.key_headers()
        )
        await rig.finished(retraction_id)
        assert rig.outcomes(retraction_id) == {mail.to[0]: ("moved", None)}

    assert folders(TO_ANN.internet_message_id) == {"ann": GONE, "bob": GONE}


async def test_a_retraction_takes_only_the_variant_it_names(rig, simulator, folders):
    for mail in (TO_ANN, TO_BOB):
        deliver(simulator, mail)
        await rig.journal(mail)

    await rig.finished(await rig.retract(TO_ANN, message_key=TO_ANN.message_key))

    assert folders(TO_ANN.internet_message_id) == {"ann": GONE, "bob": "inbox"}


async def test_a_disclaimer_for_one_recipient_protects_nobody(rig, simulator, folders):
    plain = Mail(to=(ANN, BOB))
    marked = replace(plain, text="Pay now.\n\nThis came from outside.")
    deliver(simulator, plain, [ANN])
    deliver(simulator, marked, [BOB])
    await rig.journal(plain, to=[ANN])
    await rig.journal(marked, to=[BOB])

    for mail in (plain, marked):
        await rig.finished(await rig.retract(mail, message_key=mail.message_key))

    assert folders(plain.internet_message_id) == {"ann": GONE, "bob": GONE}


async def test_a_hundred_variants_to_somebody_else_protect_nothing(rig, simulator, folders):
    deliver(simulator, TO_ANN)
    await rig.journal(TO_ANN)
    for number in range(100):
        await rig.journal(replace(TO_BOB, text=f"Variant {number}"))

    await rig.finished(await rig.retract(TO_ANN, message_key=TO_ANN.message_key))

    assert folders(TO_ANN.internet_message_id) == {"ann": GONE}


async def test_a_mailbox_that_holds_two_variants_waits_for_a_person(rig, simulator, folders):
    deliver(simulator, TO_ANN)
    await rig.journal(TO_ANN)
    await rig.journal(TO_BOB, to=[BOB, ANN])

    retraction_id = await rig.retract(TO_ANN, message_key=TO_ANN.message_key)
    await rig.finished(retraction_id)

    assert {(one.outcome, one.reason) for one in rig.settled(retraction_id)} >= {
        ("untouched", "ambiguous_copy")
    }
    assert folders(TO_ANN.internet_message_id) == {"ann": "inbox"}
