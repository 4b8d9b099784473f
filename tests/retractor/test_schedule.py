"""Which mailbox is visited when."""

from dataclasses import replace
from datetime import timedelta

import pytest

from libs.common.contracts.retraction import Outcome
from services.retractor.domain.retraction import Trials, left_out
from tests.retractor.rig import TENANT, Mail

ANN = "ann@acme.example"


async def claimed(rig):
    visits = await rig.bench.schedule.claim(10, rig.clock.now(), 15.0)
    return visits, [visit.mailbox for visit in visits]


async def test_new_work_does_not_shorten_a_pause(still, clock):
    mails = [Mail(internet_message_id=f"<{n}@evil.example>") for n in range(2)]
    for mail in mails:
        await still.journal(mail)
    await still.retract(mails[0])
    [visit], _ = await claimed(still)
    await still.bench.schedule.release(visit, clock.now() + timedelta(seconds=60))

    retraction_id = await still.retract(mails[1])
    await still.cancel(retraction_id)

    assert (await claimed(still))[1] == []
    await clock.advance(61)
    assert (await claimed(still))[1] == [ANN]


async def test_a_pause_that_is_over_is_forgotten(still, clock):
    await still.journal(Mail())
    await still.retract(Mail())
    [visit], _ = await claimed(still)
    await still.bench.schedule.release(visit, clock.now() + timedelta(seconds=60))
    await clock.advance(61)
    [visit], _ = await claimed(still)

    await still.bench.schedule.release(visit)

    assert (await claimed(still))[1] == [ANN]


@pytest.mark.parametrize(
    ("failures", "pause_seconds", "is_visited"),
    [(3, 0, True), (3, 100, False), (0, 0, False)],
    ids=["put_off", "paused", "late_look"],
)
async def test_a_start_repeats_what_was_put_off_after_failures(
    failures, pause_seconds, is_visited, still, clock
):
    await still.journal(Mail())
    await still.retract(Mail())
    schedule, now = still.bench.schedule, clock.now()
    [visit], _ = await claimed(still)
    [[wanted], _] = await schedule.due(visit, now, 15.0, 10)
    async with still.bench.ledger.transaction() as ledger:
        failed = replace(wanted, trials=Trials(failures=failures))
        await ledger.work.put_search(failed, now + timedelta(seconds=300))
    paused_until = now + timedelta(seconds=pause_seconds) if pause_seconds else None
    await schedule.release(visit, paused_until)
    assert (await claimed(still))[1] == []

    await schedule.recover(clock.now())

    visits, mailboxes = await claimed(still)
    assert mailboxes == ([ANN] if is_visited else [])
    for again in visits:
        searches, _ = await schedule.due(again, now, 15.0, 10)
        assert [one.trials.failures for one in searches] == [failures]


async def test_so_does_it_with_copies(still, clock):
    await still.journal(Mail())
    retraction_id = await still.retract(Mail())
    schedule, now = still.bench.schedule, clock.now()
    [visit], _ = await claimed(still)
    [[wanted], _] = await schedule.due(visit, now, 15.0, 10)
    async with still.bench.ledger.transaction() as ledger:
        retraction = await ledger.retractions.get(TENANT, retraction_id)
        copy = left_out(retraction, ANN, Mail().internet_message_id, Outcome.FAILED, None)
        await ledger.work.enter_copies([copy], now)
        await ledger.work.put_off(copy, Trials(failures=1), now + timedelta(seconds=300))
        await ledger.work.put_search(wanted, None)
    await schedule.release(visit)
    assert (await claimed(still))[1] == []

    await schedule.recover(clock.now())

    [visit], _ = await claimed(still)
    _, [again] = await schedule.due(visit, now, 15.0, 10)
    assert again.copy_id == copy.copy_id
