"""Replies and forwards inside the tenant."""

from datetime import timedelta

from tests.retractor.rig import SENT_AT, Mail, deliver

ANN, BOB, CAT, DAN = (f"{name}@acme.example" for name in ("ann", "bob", "cat", "dan"))
PHISH = Mail(to=(ANN,))


async def taken(rig, mail, **more):
    retraction_id = await rig.retract(mail, **more)
    return retraction_id, await rig.finished(retraction_id)


def where(simulator, report):
    copies = simulator.admin.copies(internet_message_id=report.internet_message_id)
    return {one.mailbox.partition("@")[0]: one.folder for one in copies}


GONE = "recoverableitemsdeletions"


async def test_a_forward_and_a_reply_to_it_are_followed_to_their_mailboxes(rig, simulator):
    deliver(simulator, PHISH)
    await rig.journal(PHISH)
    forward = simulator.admin.forward(ANN, PHISH.internet_message_id, [BOB])
    reply = simulator.admin.reply(BOB, forward.internet_message_id)

    retraction_id, finished = await taken(rig, PHISH, depth=2)

    assert where(simulator, forward) == {"ann": GONE, "bob": GONE}
    assert where(simulator, reply) == {"ann": GONE, "bob": GONE}
    depths = sorted(one.depth for one in rig.settled(retraction_id))
    assert (finished.counts.moved, depths) == (5, [0, 1, 1, 2, 2])


async def test_it_goes_no_deeper_than_asked(rig, simulator):
    deliver(simulator, PHISH)
    await rig.journal(PHISH)
    forward = simulator.admin.forward(ANN, PHISH.internet_message_id, [BOB])
    second = simulator.admin.forward(BOB, forward.internet_message_id, [CAT])

    await taken(rig, PHISH, depth=1)

    assert where(simulator, forward) == {"ann": GONE, "bob": GONE}
    assert where(simulator, second) == {"bob": "sentitems", "cat": "inbox"}


async def test_a_forward_is_followed_from_mailbox_to_mailbox(rig, simulator):
    deliver(simulator, PHISH)
    await rig.journal(PHISH)
    first = simulator.admin.forward(ANN, PHISH.internet_message_id, [BOB])
    second = simulator.admin.forward(BOB, first.internet_message_id, [CAT])
    third = simulator.admin.forward(CAT, second.internet_message_id, [DAN])

    await taken(rig, PHISH, depth=3)

    for report in (first, second, third):
        assert set(where(simulator, report).values()) == {GONE}


async def test_the_innocent_beginning_of_the_thread_stays(rig, simulator, folders):
    start = Mail(sender=BOB, to=(ANN,), internet_message_id="<start@acme.example>")
    deliver(simulator, start)
    bad = simulator.admin.reply(ANN, start.internet_message_id)
    answer = simulator.admin.reply(BOB, bad.internet_message_id)
    bad_mail = Mail(
        sender=ANN,
        to=(BOB,),
        internet_message_id=bad.internet_message_id,
        subject=bad.copies[0].subject,
        sent_at=bad.delivered_at,
    )
    await rig.journal(bad_mail)

    await taken(rig, bad_mail, depth=3, mailboxes=[ANN, BOB])

    assert where(simulator, bad) == {"ann": GONE, "bob": GONE}
    assert where(simulator, answer) == {"ann": GONE, "bob": GONE}
    assert folders(start.internet_message_id) == {"ann": "inbox", "bob": "sentitems"}


async def test_a_thread_index_stolen_from_an_innocent_thread_leads_to_nobody(
    rig, simulator, folders
):
    start = Mail(sender=BOB, to=(ANN,), internet_message_id="<start@acme.example>")
    deliver(simulator, start)
    innocent = simulator.admin.reply(ANN, start.internet_message_id)
    stolen = innocent.copies[0]
    phish = Mail(
        headers=(("Thread-Index", simulator_index(simulator, start)),),
        sent_at=SENT_AT + timedelta(minutes=5),
    )
    deliver(simulator, phish)
    await rig.journal(phish)

    await taken(rig, phish, depth=5)

    assert folders(phish.internet_message_id) == {"ann": GONE}
    assert folders(stolen.internet_message_id) == {"ann": "sentitems", "bob": "inbox"}
    assert folders(start.internet_message_id) == {"ann": "inbox", "bob": "sentitems"}


def simulator_index(simulator, mail):
    return simulator.admin.copies(internet_message_id=mail.internet_message_id)[
        0
    ].conversation_index


async def test_those_outside_who_got_it_are_told_of(rig, simulator):
    deliver(simulator, PHISH)
    await rig.journal(PHISH)
    simulator.admin.forward(ANN, PHISH.internet_message_id, [BOB, "friend@outside.example"])

    _, finished = await taken(rig, PHISH, depth=1)

    assert finished.unreachable == ("friend@outside.example",)


async def test_protected_mailboxes_do_not_join(make_rig, simulator):
    rig = make_rig(protected_mailboxes=(BOB,))
    rig.start()
    deliver(simulator, PHISH)
    await rig.journal(PHISH)
    forward = simulator.admin.forward(ANN, PHISH.internet_message_id, [BOB])

    retraction_id, _ = await taken(rig, PHISH, depth=1)

    assert where(simulator, forward) == {"ann": GONE, "bob": "inbox"}
    assert rig.outcomes(retraction_id)[BOB] == ("refused", "protected_mailbox")


async def test_a_family_larger_than_the_limit_waits_for_a_person(make_rig, simulator, folders):
    rig = make_rig(limits={"mailboxes_per_request": 2})
    rig.start()
    deliver(simulator, PHISH)
    await rig.journal(PHISH)
    forwards = [
        simulator.admin.forward(ANN, PHISH.internet_message_id, [one]) for one in (BOB, CAT, DAN)
    ]

    retraction_id, finished = await taken(rig, PHISH, depth=1)

    assert folders(PHISH.internet_message_id) == {"ann": GONE}
    for forward, name in zip(forwards, ("bob", "cat", "dan"), strict=True):
        assert where(simulator, forward) == {"ann": GONE, name: "inbox"}
        outcome = rig.outcomes(retraction_id)[f"{name}@acme.example"]
        assert outcome == ("untouched", "mailboxes_per_request")
    assert (finished.counts.moved, finished.counts.untouched) == (4, 3)


async def test_mailboxes_that_find_more_at_once_share_the_limit(make_rig, simulator, folders):
    rig = make_rig(limits={"mailboxes_per_request": 3})
    everybody = Mail(to=(ANN, BOB))
    deliver(simulator, everybody)
    await rig.journal(everybody)
    first = simulator.admin.forward(ANN, everybody.internet_message_id, [CAT])
    second = simulator.admin.forward(BOB, everybody.internet_message_id, [DAN])

    rig.start()
    _, finished = await taken(rig, everybody, depth=1)

    received = where(simulator, first)["cat"], where(simulator, second)["dan"]
    assert sorted(received) == ["inbox", GONE]
    assert (finished.counts.moved, finished.counts.untouched) == (5, 1)


async def test_the_machine_follows_nothing_by_itself(rig, simulator):
    deliver(simulator, PHISH)
    await rig.journal(PHISH)
    forward = simulator.admin.forward(ANN, PHISH.internet_message_id, [BOB])

    await taken(
        rig,
        PHISH,
        depth=5,
        publisher="classifier",
        mailboxes=[ANN],
        headers=PHISH.key_headers(),
    )

    assert where(simulator, forward) == {"ann": "sentitems", "bob": "inbox"}


async def test_a_dry_run_shows_the_tree(rig, simulator):
    deliver(simulator, PHISH)
    await rig.journal(PHISH)
    simulator.admin.forward(ANN, PHISH.internet_message_id, [BOB])

    from libs.common.contracts.retraction import RetractionPlanned

    await taken(rig, PHISH, depth=1, dry_run=True)

    [plan] = rig.published.contracts(RetractionPlanned)
    tree = sorted((one.depth, one.mailbox, one.outcome) for one in plan.copies)
    assert tree == [(0, ANN, "moved"), (1, ANN, "moved"), (1, BOB, "moved")]


async def test_a_whole_family_comes_back(rig, simulator, folders):
    deliver(simulator, PHISH)
    await rig.journal(PHISH)
    forward = simulator.admin.forward(ANN, PHISH.internet_message_id, [BOB])
    retraction_id, _ = await taken(rig, PHISH, depth=1)

    await rig.restore(retraction_id)
    await rig.finished(retraction_id, kind="restore")

    assert where(simulator, forward) == {"ann": "sentitems", "bob": "inbox"}
    assert folders(PHISH.internet_message_id) == {"ann": "inbox"}
