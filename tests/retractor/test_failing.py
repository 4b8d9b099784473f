"""Graph that throttles, answers unclearly or not at all; workers that die."""

import asyncio
import gc

import pytest

from libs.common.contracts.retraction import CopySettled, RetractionFinished
from libs.graph_simulator.graph.failures import Effect, Match, Rule
from libs.graph_simulator.options import Latency
from tests.retractor.rig import Mail, deliver, writes

ANN, BOB = "ann@acme.example", "bob@acme.example"
MAIL = Mail(to=(ANN,))


async def retracted(rig, simulator, destination="soft_delete"):
    deliver(simulator, MAIL)
    await rig.journal(MAIL)
    rig.start()
    retraction_id = await rig.retract(MAIL, destination)
    return retraction_id, await rig.finished(retraction_id)


def calls(simulator, name):
    return simulator.admin.statistics()["calls"].get(name, 0)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("destination", ["soft_delete", "hard_delete"])
async def test_a_write_that_was_carried_out_is_not_repeated(
    status, destination, make_rig, simulator, folders
):
    operation = "move" if destination == "soft_delete" else "permanent_delete"
    simulator.admin.add_rule(
        Rule(
            match=Match(operation=operation),
            when="after",
            effect=Effect(status=status, retry_after="0.05", is_body_empty=True),
        )
    )

    _, finished = await retracted(make_rig(), simulator, destination)

    assert finished.counts.moved == 1
    assert calls(simulator, operation) == 1
    assert "recoverable" in folders(MAIL.internet_message_id)["ann"]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_connection_that_breaks_during_a_write_is_looked_into(
    when, make_rig, simulator, folders
):
    rule = Rule(match=Match(operation="move"), when=when, effect=Effect(connection="reset"))
    simulator.admin.add_rule(rule)

    _, finished = await retracted(make_rig(), simulator)

    assert finished.counts.moved == 1
    assert folders(MAIL.internet_message_id) == {"ann": "recoverableitemsdeletions"}


@pytest.mark.parametrize("retry_after", ["1", "0.3", None, "later"])
async def test_a_throttled_mailbox_is_left_alone_as_long_as_it_asks(
    retry_after, make_rig, simulator, monkeypatch
):
    monkeypatch.setattr("services.retractor.workers.attempts._DEFAULT_PAUSE_SECONDS", 0.3)
    throttle = Effect(status=429, code="ApplicationThrottled", retry_after=retry_after)
    simulator.admin.add_rule(Rule(match=Match(operation="move"), effect=throttle, times=2))

    _, finished = await retracted(make_rig(), simulator)

    assert finished.counts.moved == 1
    assert simulator.admin.statistics()["early_retries"] == 0


async def test_a_throttle_of_the_whole_application_stops_all_mailboxes(make_rig, simulator):
    everybody = Mail(to=(ANN, BOB))
    deliver(simulator, everybody)
    throttle = Effect(status=429, code="TooManyRequests", retry_after="0.4")
    simulator.admin.add_rule(Rule(match=Match(operation="list_users"), effect=throttle))
    rig = make_rig()
    await rig.journal(everybody)
    rig.start()

    finished = await rig.finished(await rig.retract(everybody))

    assert finished.counts.moved == 2


async def test_a_revoked_token_is_replaced(make_rig, simulator):
    rig = make_rig()
    await retracted(rig, simulator)
    simulator.admin.revoke_tokens("11111111-2222-4333-8444-555555555555", "client")
    await asyncio.sleep(1.1)  # tokens carry whole seconds

    finished = await rig.finished(await rig.retract(MAIL, "hard_delete"))

    assert finished.counts.moved == 1


async def test_without_consent_a_copy_fails_with_that_reason(make_rig, simulator):
    simulator.admin.set_consent(
        "11111111-2222-4333-8444-555555555555", "client", is_consented=False
    )
    rig = make_rig()

    retraction_id, _ = await retracted(rig, simulator)

    assert rig.outcomes(retraction_id) == {ANN: ("failed", "consent_revoked")}


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("on_premises", "mailbox_not_rest_enabled"),
        ("soft_deleted", "mailbox_not_rest_enabled"),
        ("out_of_scope", "out_of_scope"),
    ],
)
async def test_a_mailbox_that_cannot_be_reached_says_why(kind, reason, make_rig, simulator):
    simulator.admin.set_kind(ANN, kind)
    rig = make_rig()

    retraction_id, _ = await retracted(rig, simulator)

    assert rig.outcomes(retraction_id) == {ANN: ("failed", reason)}


async def test_an_address_without_a_mailbox_says_so(rig):
    mail = Mail(to=("sales@acme.example",))
    await rig.journal(mail)

    retraction_id = await rig.retract(mail)
    await rig.finished(retraction_id)

    assert rig.outcomes(retraction_id) == {"sales@acme.example": ("failed", "mailbox_not_found")}


async def test_what_fails_again_and_again_is_given_up_with_its_reason(make_rig, simulator):
    effect = Effect(status=503, retry_after="0.01")
    simulator.admin.add_rule(Rule(match=Match(operation="move"), effect=effect, times=None))
    rig = make_rig()

    retraction_id, _ = await retracted(rig, simulator)

    assert rig.outcomes(retraction_id) == {ANN: ("failed", "graph_unavailable")}


# asyncio leaks the socket of a TLS handshake that is cancelled; a killed process has no such worry.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
async def test_workers_that_die_in_the_middle_leave_nothing_undone_or_done_twice(
    make_rig, simulator, pool
):
    mails = [Mail(internet_message_id=f"<{n}@evil.example>", to=(ANN, BOB)) for n in range(12)]
    simulator.admin.set_latency(Latency(median_ms=15))
    rig = make_rig()
    retractions = []
    for mail in mails:
        deliver(simulator, mail)
        await rig.journal(mail)
        retractions.append(await rig.retract(mail))

    for _ in range(12):  # each time somewhere else between a row and its write
        rig.start()
        await asyncio.sleep(0.13)
        await rig.kill(pool)
    rig.start()
    for retraction_id in retractions:
        await rig.finished(retraction_id)
    await rig.stop()
    gc.collect()

    assert {one.counts.moved for one in rig.published.contracts(RetractionFinished)} == {2}
    for type_, count in ((RetractionFinished, 12), (CopySettled, 24)):
        ids = {one.message_id for one in rig.published.messages if one.type == type_.type}
        assert len(ids) == count
    for mail in mails:
        found = simulator.admin.copies(internet_message_id=mail.internet_message_id)
        assert [one.folder for one in found] == ["recoverableitemsdeletions"] * 2
        assert [len(one.history) for one in found] == [1, 1]


async def test_several_workers_keep_within_what_a_mailbox_takes(make_rig, simulator):
    mails = [Mail(internet_message_id=f"<{n}@evil.example>") for n in range(15)]
    simulator.admin.set_latency(Latency(median_ms=10))
    one = make_rig()
    other = make_rig(published=one.published)
    for mail in mails:
        deliver(simulator, mail)
        await one.journal(mail)
    one.start()
    other.start()

    retractions = [await one.retract(mail) for mail in mails]
    for retraction_id in retractions:
        await one.finished(retraction_id)

    assert max(simulator.admin.statistics()["highest_concurrency"].values()) <= 4
    assert writes(simulator) == {"move": 15}
