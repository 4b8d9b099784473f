"""Several commands about the same copies."""

from tests.retractor.rig import Mail, deliver

ANN = "ann@acme.example"
MAIL = Mail(to=(ANN,))
AUTOMATIC = {"publisher": "classifier", "mailboxes": [ANN], "headers": MAIL.key_headers()}


async def folder_after(rig, simulator, *commands):
    deliver(simulator, MAIL)
    await rig.journal(MAIL)
    outcomes = []
    for destination, more in commands:
        retraction_id = await rig.retract(MAIL, destination, **more)
        await rig.finished(retraction_id)
        outcomes.append(rig.outcomes(retraction_id)[ANN])
    [copy] = simulator.admin.copies(internet_message_id=MAIL.internet_message_id)
    return copy.folder, outcomes[-1]


async def test_a_person_beats_the_machine(rig, simulator):
    folder, _ = await folder_after(rig, simulator, ("soft_delete", AUTOMATIC), ("junk", {}))
    assert folder == "junkemail"


async def test_the_machine_does_not_beat_a_person(rig, simulator):
    folder, last = await folder_after(rig, simulator, ("junk", {}), ("hard_delete", AUTOMATIC))
    assert (folder, last) == ("junkemail", ("untouched", "superseded"))


async def test_the_machine_makes_its_own_verdict_harsher(rig, simulator):
    folder, _ = await folder_after(rig, simulator, ("junk", AUTOMATIC), ("soft_delete", AUTOMATIC))
    assert folder == "recoverableitemsdeletions"


async def test_but_never_milder(rig, simulator):
    folder, last = await folder_after(rig, simulator, ("trash", AUTOMATIC), ("junk", AUTOMATIC))
    assert (folder, last) == ("deleteditems", ("already_there", "never_weakened"))


async def test_the_harsher_verdict_stands_whichever_is_carried_out_first(make_rig, simulator, pool):
    rig = make_rig()
    deliver(simulator, MAIL)
    await rig.journal(MAIL)
    harsh = await rig.retract(MAIL, "soft_delete", **AUTOMATIC)
    later = "update searches set due_at = due_at + interval '1 second' where retraction_id = $1"
    await pool.execute(later, harsh)
    mild = await rig.retract(MAIL, "junk", **AUTOMATIC)

    rig.start()
    await rig.finished(mild)
    await rig.finished(harsh)

    [copy] = simulator.admin.copies(internet_message_id=MAIL.internet_message_id)
    assert copy.folder == "recoverableitemsdeletions"


async def test_of_two_persons_the_later_wins(rig, simulator):
    folder, _ = await folder_after(rig, simulator, ("soft_delete", {}), ("trash", {}))
    assert folder == "deleteditems"


async def test_commands_that_come_together_leave_the_later_ones_state(make_rig, simulator):
    rig = make_rig()
    deliver(simulator, MAIL)
    await rig.journal(MAIL)
    retractions = [
        await rig.retract(MAIL, destination, **more)
        for destination, more in (
            ("soft_delete", AUTOMATIC),
            ("trash", {}),
            ("junk", {}),
            ("soft_delete", AUTOMATIC),
        )
    ]

    rig.start()
    for retraction_id in retractions:
        await rig.finished(retraction_id)

    [copy] = simulator.admin.copies(internet_message_id=MAIL.internet_message_id)
    assert copy.folder == "junkemail"


async def test_a_dry_run_of_that_ends_too(rig, simulator):
    folder, _ = await folder_after(rig, simulator, ("soft_delete", {}))

    finished = await rig.finished(await rig.retract(MAIL, "trash", dry_run=True))

    assert (folder, finished.counts.untouched) == ("recoverableitemsdeletions", 1)
