"""Retractions that are earlier than their mail, and mail that is later than its retraction."""

from datetime import timedelta

import pytest

from libs.common.clock import SystemClock
from libs.common.contracts.retraction import RetractionAccepted, RetractionFinished
from services.retractor.workers.announcer import announce_some
from services.retractor.workers.expiry import expire_some
from tests.retractor.rig import Mail, deliver

ANN, BOB, CAT = "ann@acme.example", "bob@acme.example", "cat@acme.example"
PHISH = Mail(to=(ANN, BOB))
DAY = 86_400


async def test_a_retraction_of_an_unknown_message_waits_and_its_report_wakes_it(
    rig, simulator, folders
):
    deliver(simulator, PHISH)
    retraction_id = await rig.retract(PHISH)

    await rig.journal(PHISH)
    finished = await rig.finished(retraction_id)

    statuses = [one.status for one in rig.published.contracts(RetractionAccepted)]
    assert statuses == ["waiting", "running"]
    assert finished.counts.moved == 2
    assert set(folders(PHISH.internet_message_id).values()) == {"recoverableitemsdeletions"}


async def test_after_half_an_hour_it_ends_without_having_touched_anything(still, clock):
    retraction_id = await still.retract(PHISH)

    await clock.advance(30 * 60 - 1)
    assert await expire_some(still.bench) == 0
    await clock.advance(2)
    assert await expire_some(still.bench) == 1
    await announce_some(still.bench)

    assert (await still.finished(retraction_id)).status == "unknown_message"


async def test_a_report_that_comes_too_late_wakes_nothing(still, clock):
    await still.retract(PHISH)
    await clock.advance(31 * 60)
    await expire_some(still.bench)

    await still.journal(PHISH)

    statuses = [one.status for one in still.published.contracts(RetractionAccepted)]
    assert statuses == ["waiting"]


async def test_a_redelivered_report_announces_what_it_woke_again(still):
    await still.retract(PHISH)
    message_id = await still.handle(journal(), "ingest")
    before = [(one.message_id, one.body) for one in still.published.messages]

    await still.handle(journal(), "ingest", message_id=message_id)

    after = [(one.message_id, one.body) for one in still.published.messages]
    assert after == [*before, before[-1]]


async def test_recipients_of_later_reports_join_a_standing_order(rig, simulator, folders):
    deliver(simulator, PHISH)
    await rig.journal(PHISH, to=[ANN])
    retraction_id = await rig.retract(PHISH)
    await rig.finished(retraction_id)
    assert folders(PHISH.internet_message_id)["bob"] == "inbox"

    await rig.journal(PHISH, to=[BOB])
    again = await rig.finished(retraction_id, round_=2)

    assert again.counts.moved == 2
    assert set(folders(PHISH.internet_message_id).values()) == {"recoverableitemsdeletions"}


@pytest.mark.parametrize("is_known", [True, False])
async def test_an_order_stands_though_the_first_part_names_nobody_here(
    is_known, rig, simulator, folders
):
    deliver(simulator, PHISH)
    if is_known:
        await rig.journal(PHISH, to=["friend@outside.example"])
    retraction_id = await rig.retract(PHISH)
    if not is_known:
        await rig.journal(PHISH, to=["friend@outside.example"])
    first = await rig.finished(retraction_id)
    assert (first.status, first.reason) == ("finished", "no_mailboxes")

    await rig.journal(PHISH)
    second = await rig.finished(retraction_id, round_=2)

    assert (second.reason, second.counts.moved) == (None, 2)
    assert set(folders(PHISH.internet_message_id).values()) == {"recoverableitemsdeletions"}


async def test_a_dry_run_that_finds_no_mailbox_stands_for_nothing(rig):
    await rig.journal(PHISH, to=["friend@outside.example"])

    finished = await rig.finished(await rig.retract(PHISH, dry_run=True))

    assert (finished.status, finished.reason) == ("refused", "no_mailboxes")


async def test_they_do_not_join_one_that_named_its_mailboxes(rig, simulator, folders):
    deliver(simulator, PHISH)
    await rig.journal(PHISH, to=[ANN])
    await rig.finished(await rig.retract(PHISH, mailboxes=[ANN]))

    await rig.journal(PHISH, to=[BOB])
    other = await rig.retract(PHISH, mailboxes=[ANN])
    await rig.finished(other)

    assert folders(PHISH.internet_message_id)["bob"] == "inbox"


async def test_protected_recipients_do_not_join_either(make_rig, simulator, folders):
    rig = make_rig(protected_mailboxes=(BOB,))
    rig.start()
    deliver(simulator, PHISH)
    await rig.journal(PHISH, to=[ANN])
    retraction_id = await rig.retract(PHISH)
    await rig.finished(retraction_id)

    await rig.journal(PHISH, to=[BOB])
    again = await rig.finished(retraction_id, round_=2)

    assert (again.counts.moved, again.counts.refused) == (1, 1)
    assert folders(PHISH.internet_message_id)["bob"] == "inbox"


async def test_a_standing_order_ends_after_thirty_days(still, clock):
    await still.journal(PHISH, to=[ANN])
    retraction_id = await still.retract(PHISH)

    await clock.advance(31 * DAY)
    await still.journal(PHISH, to=[BOB])

    async with still.bench.ledger.transaction() as ledger:
        assert await ledger.progress.mailboxes("acme", retraction_id) == {ANN}


async def test_a_cancelled_one_takes_no_more_recipients(rig, simulator, folders):
    deliver(simulator, PHISH)
    await rig.journal(PHISH, to=[ANN])
    retraction_id = await rig.retract(PHISH)
    await rig.finished(retraction_id)

    await rig.cancel(retraction_id)
    await rig.journal(PHISH, to=[BOB])
    other = await rig.retract(PHISH, mailboxes=[ANN])
    await rig.finished(other)

    assert folders(PHISH.internet_message_id)["bob"] == "inbox"
    ends = rig.published.contracts(RetractionFinished)
    assert [one.status for one in ends if one.retraction_id == retraction_id] == ["finished"]


async def test_cancelling_stops_the_search_for_late_copies(still):
    await still.journal(PHISH)
    retraction_id = await still.retract(PHISH)
    still.start()

    await still.cancel(retraction_id)
    finished = await still.finished(retraction_id)

    assert (finished.status, finished.counts.untouched) == ("cancelled", 2)
    await still.stop()


async def test_what_everybody_was_told_long_ago_is_forgotten(still, clock, pool):
    retraction_id = await still.retract(PHISH)
    await clock.advance(31 * 60)
    await expire_some(still.bench)
    await announce_some(still.bench)

    await still.bench.outbox.forget(SystemClock().now() + timedelta(days=1))

    for table in ("announcements", "answers"):
        assert await pool.fetchval(f"select count(*) from {table}") == 0
    async with still.bench.ledger.transaction() as ledger:
        kept = await ledger.retractions.get("acme", retraction_id)
    assert kept.status == "unknown_message"


def journal():
    from tests.retractor.rig import journaled

    return journaled(PHISH)
