"""What comes in between: commands, other workers, users, while a copy is on its way."""

from collections.abc import Awaitable, Callable

import pytest

from services.retractor.ports.mailboxes import Folder
from tests.fakes.mailboxes import FakeMailbox, FakeMailboxes
from tests.retractor.rig import TENANT, Mail, Rig, places, put

ANN = "ann@acme.example"
MAIL = Mail(to=(ANN,))
AUTOMATIC = {"publisher": "classifier", "mailboxes": [ANN], "headers": MAIL.key_headers()}

Deed = Callable[[], Awaitable[object]]


class Once:
    """Does something before the nth call of an operation."""

    def __init__(self, operation: str, deed: Deed, nth: int = 1) -> None:
        self._operation = operation
        self._deed = deed
        self._left = nth

    async def __call__(self, operation: str) -> None:
        if operation == self._operation:
            self._left -= 1
            if self._left == 0:
                await self._deed()


@pytest.fixture
def ann(office: FakeMailboxes) -> FakeMailbox:
    """Give Ann's mailbox, the mail in it; a folder that it lacks is asked for before each move."""
    box = put(office, MAIL, ANN)
    del box.folders[Folder.DELETIONS.value]
    return box


async def interrupted(
    rig: Rig, office: FakeMailboxes, deed: Callable[[object], Awaitable[object]]
) -> object:
    """Retract, and do something after the worker has decided to move, before it does."""
    await rig.journal(MAIL)
    retraction_id = await rig.retract(MAIL, "trash")
    office.before = Once("folders", lambda: deed(retraction_id), nth=2)
    rig.start()
    finished = await rig.finished(retraction_id)
    assert finished.counts.moved == 0
    return retraction_id


async def test_a_cancellation_just_before_the_move_stops_it(inside, office, ann):
    retraction_id = await interrupted(inside, office, inside.cancel)

    assert inside.outcomes(retraction_id) == {ANN: ("untouched", "cancelled")}
    assert places(ann) == ["inbox"]


async def test_a_restore_just_before_the_move_stops_it_and_keeps_the_machine_away(
    inside, office, ann
):
    retraction_id = await interrupted(inside, office, inside.restore)
    await inside.finished(retraction_id, kind="restore")
    assert places(ann) == ["inbox"]

    automatic = await inside.retract(MAIL, **AUTOMATIC)
    await inside.finished(automatic)

    assert inside.outcomes(automatic) == {ANN: ("untouched", "exempt")}
    assert places(ann) == ["inbox"]


async def test_a_restore_of_one_copy_just_before_its_move_stops_it(inside, office, ann):
    async def spare(retraction_id: object) -> None:
        async with inside.bench.ledger.transaction() as ledger:
            [copy] = await ledger.progress.copies(TENANT, retraction_id)
        await inside.restore(retraction_id, copy_ids=[copy.copy_id])

    retraction_id = await interrupted(inside, office, spare)

    assert inside.outcomes(retraction_id) == {ANN: ("untouched", "superseded")}
    assert places(ann) == ["inbox"]


async def test_a_restore_called_off_just_before_its_move_moves_nothing(inside, office, ann):
    await inside.journal(MAIL)
    retraction_id = await inside.retract(MAIL, "trash")
    inside.start()
    await inside.finished(retraction_id)
    restores = []

    async def cancel() -> None:
        await inside.cancel(restores[0])

    office.before = Once("look_up", cancel)
    await inside.stop()
    restores.append(await inside.restore(retraction_id))
    inside.start()
    finished = await inside.finished(retraction_id, kind="restore")

    assert (finished.status, finished.counts.untouched) == ("cancelled", 1)
    assert places(ann) == ["deleteditems"]
