"""Which mailbox is visited when."""

from datetime import timedelta

from tests.retractor.rig import Mail

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
