"""Several addresses of one mailbox: what holds for one holds for all."""

import pytest

from libs.graph_simulator.graph.failures import Effect, Match, Rule
from tests.retractor.rig import Mail, deliver, writes

ANN, BOB = "ann@acme.example", "bob@acme.example"
ALIAS = "ann.alias@acme.example"
MAIL = Mail(to=(ALIAS, BOB))


async def retracted(rig, simulator, **more):
    deliver(simulator, MAIL)
    await rig.journal(MAIL)
    rig.start()
    retraction_id = await rig.retract(MAIL, "hard_delete", **more)
    await rig.finished(retraction_id)
    return rig.outcomes(retraction_id)


@pytest.mark.parametrize(
    ("tenant", "outcome"),
    [
        ({"protected_mailboxes": (ANN,)}, ("refused", "protected_mailbox")),
        ({"vip_mailboxes": (ANN,)}, ("untouched", "vip_mailbox")),
    ],
)
async def test_an_alias_is_no_way_into_a_guarded_mailbox(
    tenant, outcome, make_rig, simulator, folders
):
    outcomes = await retracted(make_rig(**tenant), simulator)

    assert outcomes == {ALIAS: outcome, BOB: ("moved", None)}
    assert folders(MAIL.internet_message_id)["ann"] == "inbox"


async def test_a_guarded_alias_guards_the_mailbox_behind_it(make_rig, simulator, folders):
    rig = make_rig(protected_mailboxes=(ALIAS,))

    outcomes = await retracted(rig, simulator, mailboxes=[ANN, BOB])

    assert outcomes == {ANN: ("refused", "protected_mailbox"), BOB: ("moved", None)}
    assert folders(MAIL.internet_message_id)["ann"] == "inbox"


async def test_a_guarded_address_that_nobody_has_stops_nothing(make_rig, simulator):
    outcomes = await retracted(make_rig(protected_mailboxes=("soc@acme.example",)), simulator)

    assert outcomes == {ALIAS: ("moved", None), BOB: ("moved", None)}


async def test_who_is_guarded_is_asked_once(make_rig, simulator):
    guarded = ("soc@acme.example", "dan@acme.example")
    await retracted(make_rig(protected_mailboxes=guarded), simulator)

    calls = simulator.admin.statistics()["calls"]
    assert calls["list_users"] == len(guarded) + len(MAIL.to)


@pytest.mark.parametrize("status", [403, 503])
async def test_nothing_is_touched_as_long_as_nobody_knows_who_is_guarded(
    status, make_rig, simulator, folders
):
    failure = Effect(status=status, code="Authorization_RequestDenied", retry_after="0.01")
    match = Match(operation="list_users", path="soc")
    simulator.admin.add_rule(Rule(match=match, effect=failure, times=None))
    rig = make_rig(protected_mailboxes=("soc@acme.example",))
    deliver(simulator, MAIL)
    await rig.journal(MAIL)
    rig.start()
    retraction_id = await rig.retract(MAIL, mailboxes=[ALIAS])
    finished = await rig.finished(retraction_id)

    assert finished.counts.failed == 1
    assert writes(simulator) == {}
    assert folders(MAIL.internet_message_id)["ann"] == "inbox"
