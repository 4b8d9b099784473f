"""The guard, from command to mailbox."""

from libs.common.contracts.retraction import RetractionHeld
from tests.retractor.rig import Mail, deliver, writes

ANN, BOB, CAT, DAN = (f"{name}@acme.example" for name in ("ann", "bob", "cat", "dan"))
PHISH = Mail(to=(ANN, BOB))


async def retracted(rig, simulator, **more):
    deliver(simulator, PHISH)
    await rig.journal(PHISH)
    rig.start()
    return await rig.retract(PHISH, **more)


async def test_protected_mailboxes_are_refused_and_the_others_go_on(make_rig, simulator, folders):
    rig = make_rig(protected_mailboxes=("BOB@acme.example",))

    retraction_id = await retracted(rig, simulator)
    await rig.finished(retraction_id)

    assert rig.outcomes(retraction_id) == {
        ANN: ("moved", None),
        BOB: ("refused", "protected_mailbox"),
    }
    assert folders(PHISH.internet_message_id)["bob"] == "inbox"


async def test_only_very_important_mailboxes_wait_for_a_person(make_rig, simulator, folders):
    rig = make_rig(vip_mailboxes=(BOB,))

    retraction_id = await retracted(rig, simulator)
    finished = await rig.finished(retraction_id)

    assert (finished.counts.moved, finished.counts.untouched) == (1, 1)
    assert rig.outcomes(retraction_id)[BOB] == ("untouched", "vip_mailbox")
    assert folders(PHISH.internet_message_id)["bob"] == "inbox"


async def test_too_many_mailboxes_at_once_are_held(make_rig, simulator):
    rig = make_rig(limits={"mailboxes_per_request": 1})

    await retracted(rig, simulator)

    assert [one.reason for one in rig.published.contracts(RetractionHeld)] == [
        "mailboxes_per_request"
    ]
    assert writes(simulator) == {}


async def test_automatic_retractions_share_a_limit_per_hour(make_rig, simulator):
    rig = make_rig(limits={"mailboxes_per_hour": 3})
    more = {"publisher": "classifier", "mailboxes": [ANN, BOB], "headers": PHISH.key_headers()}

    first = await retracted(rig, simulator, **more)
    await rig.retract(PHISH, **more)
    await rig.finished(first)
    await rig.finished(await rig.retract(PHISH))

    [held] = rig.published.contracts(RetractionHeld)
    assert (held.reason, held.publisher) == ("mailboxes_per_hour", "classifier")


async def test_other_systems_share_that_limit_with_all_that_they_find(make_rig, simulator):
    rig = make_rig(limits={"mailboxes_per_hour": 3})
    deliver(simulator, PHISH)
    await rig.journal(PHISH)
    for one in (CAT, DAN):
        simulator.admin.forward(ANN, PHISH.internet_message_id, [one])
    rig.start()
    first = await rig.retract(PHISH, "trash", "soar", mailboxes=[ANN], depth=1)
    finished = await rig.finished(first)
    assert finished.counts.moved == 5

    await rig.retract(PHISH, "trash", "soar", mailboxes=[BOB])

    [held] = rig.published.contracts(RetractionHeld)
    assert (held.reason, held.publisher) == ("mailboxes_per_hour", "soar")


async def test_a_family_that_reaches_that_limit_waits(make_rig, simulator):
    rig = make_rig(limits={"mailboxes_per_hour": 2})
    deliver(simulator, PHISH)
    await rig.journal(PHISH)
    for one in (CAT, DAN):
        simulator.admin.forward(ANN, PHISH.internet_message_id, [one])
    rig.start()

    retraction_id = await rig.retract(PHISH, "trash", "soar", mailboxes=[ANN], depth=1)
    await rig.finished(retraction_id)

    outcomes = rig.outcomes(retraction_id)
    assert {outcomes[one] for one in (CAT, DAN)} == {("untouched", "mailboxes_per_hour")}


async def test_a_hard_delete_waits_where_so_configured(make_rig, simulator):
    rig = make_rig(limits={"approve_hard_delete": True})

    await retracted(rig, simulator, destination="hard_delete")

    assert [one.reason for one in rig.published.contracts(RetractionHeld)] == [
        "hard_delete_needs_approval"
    ]


async def test_a_destination_that_the_publisher_may_not_use_is_refused(make_rig, simulator):
    rig = make_rig()

    finished = await rig.finished(
        await retracted(rig, simulator, publisher="soar", destination="hard_delete")
    )

    assert (finished.status, finished.reason) == ("refused", "destination_not_allowed")


async def test_somebody_without_rights_is_refused(make_rig, simulator):
    rig = make_rig()

    finished = await rig.finished(await retracted(rig, simulator, publisher="stranger"))

    assert (finished.status, finished.reason) == ("refused", "not_authorised")


async def test_mailboxes_outside_the_tenant_are_refused(make_rig, simulator):
    rig = make_rig()

    retraction_id = await retracted(rig, simulator, mailboxes=[ANN, "eve@other.example"])
    await rig.finished(retraction_id)

    assert rig.outcomes(retraction_id)["eve@other.example"] == ("refused", "foreign_mailbox")


async def test_a_dry_run_that_would_be_held_says_so_and_ends(make_rig, simulator):
    rig = make_rig(limits={"mailboxes_per_request": 1})

    finished = await rig.finished(await retracted(rig, simulator, dry_run=True))

    assert (finished.status, finished.reason) == ("refused", "mailboxes_per_request")
    assert not rig.published.contracts(RetractionHeld)


async def test_what_is_held_can_be_called_off(make_rig, simulator):
    rig = make_rig(limits={"mailboxes_per_request": 1})
    retraction_id = await retracted(rig, simulator)

    await rig.cancel(retraction_id)

    assert (await rig.finished(retraction_id)).status == "cancelled"
