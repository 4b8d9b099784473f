"""What comes in between: commands, other workers, users, while a copy is on its way."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from libs.common.contracts.retraction import Outcome
from libs.common.errors import PermanentError, TransientError
from services.retractor.ports.mailboxes import Folder
from services.retractor.workers.mailbox import MailboxVisit
from services.retractor.workers.settling import finish_if_done, settle
from tests.fakes.mailboxes import FakeMailbox, FakeMailboxes
from tests.retractor.conftest import FAST
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


async def test_a_copy_that_another_visit_has_settled_stays_as_it_was_told(inside, office, ann):
    """The lease is lost during the move; the visit that takes over sees the copy gone."""

    async def overtake() -> None:
        async with inside.bench.ledger.transaction() as ledger:
            [copy] = await ledger.progress.copies(TENANT, retraction_id)
        await settle(inside.bench, copy, Outcome.ABSENT, "user_deleted")

    await inside.journal(MAIL)
    retraction_id = await inside.retract(MAIL, "trash")
    office.before = Once("move", overtake)
    inside.start()
    finished = await inside.finished(retraction_id)
    async with asyncio.timeout(5):
        while places(ann) == ["inbox"]:  # noqa: ASYNC110 - the fake has no bell
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)

    async with inside.bench.ledger.transaction() as ledger:
        [copy] = await ledger.progress.copies(TENANT, retraction_id)
    assert inside.outcomes(retraction_id) == {ANN: (copy.outcome, copy.reason)}
    assert (finished.counts.absent, copy.outcome) == (1, "absent")


async def test_a_search_that_another_visit_has_ended_stays_ended(inside, office):
    async def overtake() -> None:
        async with inside.bench.ledger.transaction() as ledger:
            await ledger.work.put_search(wanted, None)
            retraction = await ledger.retractions.get(TENANT, retraction_id, locked=True)
            await finish_if_done(inside.bench, ledger, retraction)

    await inside.journal(MAIL)
    retraction_id = await inside.retract(MAIL, "trash")
    now = inside.clock.now()
    [visit] = await inside.bench.schedule.claim(1, now, 60)
    [[wanted], _] = await inside.bench.schedule.due(visit, now, 60, 10)
    office.before = Once("with_message_id", overtake)

    await MailboxVisit(inside.bench, visit).run()

    async with inside.bench.ledger.transaction() as ledger:
        assert not await ledger.progress.is_open(TENANT, retraction_id)


async def test_a_move_that_nobody_could_look_into_is_not_given_up(inside, office, ann):
    await inside.journal(MAIL)
    retraction_id = await inside.retract(MAIL, "trash")
    lost = Lost(office, ann)
    office.before = lost
    inside.start()

    async with asyncio.timeout(10):
        while lost.looks < 2 * FAST["max_attempts"]:  # noqa: ASYNC110 - counted by the fake
            await asyncio.sleep(0.01)
    assert inside.settled(retraction_id) == []
    lost.is_over = True
    finished = await inside.finished(retraction_id)

    assert finished.counts.moved == 1
    assert places(ann) == ["deleteditems"]


async def test_a_move_that_nobody_may_look_into_any_more_can_still_be_undone(inside, office, ann):
    await inside.journal(MAIL)
    retraction_id = await inside.retract(MAIL, "trash")
    office.before = lost = Lost(office, ann, look_up_error=PermanentError("out_of_scope"))
    inside.start()
    await inside.finished(retraction_id)
    assert inside.outcomes(retraction_id) == {ANN: ("failed", "out_of_scope")}
    lost.is_over = True

    await inside.restore(retraction_id)
    finished = await inside.finished(retraction_id, kind="restore")

    assert finished.counts.restored == 1
    assert places(ann) == ["inbox"]


async def test_a_copy_that_failed_before_it_was_touched_is_not_undone(inside, office, ann):
    async def refuse(operation: str) -> None:
        if operation == "with_message_id":
            raise PermanentError("out_of_scope")

    await inside.journal(MAIL)
    retraction_id = await inside.retract(MAIL, "trash")
    office.before = refuse
    inside.start()
    await inside.finished(retraction_id)

    await inside.restore(retraction_id)
    finished = await inside.finished(retraction_id, kind="restore")

    assert (finished.counts.restored, finished.counts.already_there) == (0, 0)


BUSY = TransientError("throttled", retry_after_seconds=0.1)
DOWN = TransientError("graph_unavailable")


async def put_off(rig, office, failure, change):
    """Let an attempt fail, and the user change something before the next one."""

    operation, nth, error = failure

    async def fail() -> None:
        await change()
        raise error

    await rig.journal(MAIL)
    retraction_id = await rig.retract(MAIL, "junk")
    office.before = Once(operation, fail, nth)
    rig.start()
    await rig.finished(retraction_id)
    return retraction_id


#: Before its row says that we are about to act, and after.
ATTEMPTS = pytest.mark.parametrize(
    "failure",
    [("folders", 3, DOWN), ("folders", 3, BUSY), ("move", 1, DOWN), ("move", 1, BUSY)],
)


@pytest.fixture
def box(office: FakeMailboxes) -> FakeMailbox:
    """Give Ann's mailbox, the mail in it; a folder that it lacks is asked for before each move."""
    box = put(office, MAIL, ANN)
    del box.folders[Folder.TRASH.value]
    box.folders["projects"] = f"{box.user_id}/projects"
    return box


def change(box, **facts):
    async def change() -> None:
        [(key, item)] = box.items.items()
        box.items[key] = replace(item, **facts)

    return change


@ATTEMPTS
async def test_what_its_user_deletes_before_the_next_attempt_is_not_brought_nearer(
    failure, inside, office, box
):
    deletion = change(box, folder_id=box.folders[Folder.DELETIONS.value])

    retraction_id = await put_off(inside, office, failure, deletion)

    assert inside.outcomes(retraction_id) == {ANN: ("already_there", "user_deleted")}
    assert places(box) == ["recoverableitemsdeletions"]


@ATTEMPTS
async def test_what_its_user_moves_before_the_next_attempt_goes_back_there(
    failure, inside, office, box
):
    tidying = change(box, folder_id=box.folders["projects"], is_read=True)
    retraction_id = await put_off(inside, office, failure, tidying)
    assert places(box) == ["junkemail"]

    await inside.restore(retraction_id)
    await inside.finished(retraction_id, kind="restore")

    assert places(box) == ["projects"]
    assert [item.is_read for item in box.items.values()] == [True]


async def test_a_copy_that_waited_long_for_its_turn_is_looked_at_anew(inside, office, box, pool):
    async def tidying() -> None:
        await change(box, folder_id=box.folders["projects"])()
        await pool.execute("update copies set entered_at = entered_at - interval '1 minute'")
        raise TransientError("database_unreachable")  # the visit ends; the attempt does not count

    await inside.journal(MAIL)
    retraction_id = await inside.retract(MAIL, "junk")
    office.before = Once("folders", tidying, 3)
    inside.start()
    await inside.finished(retraction_id)

    [settled] = inside.settled(retraction_id)
    assert (settled.outcome, settled.folder_before) == ("moved", box.folders["projects"])


async def test_a_copy_that_is_gone_before_the_next_attempt_is_absent(inside, office, box):
    async def vanish() -> None:
        box.items.clear()

    retraction_id = await put_off(inside, office, ("folders", 3, DOWN), vanish)

    assert inside.outcomes(retraction_id) == {ANN: ("absent", "user_deleted")}


class Lost:
    """Moves an item, and loses the answer; then nobody can look until it is over."""

    def __init__(
        self,
        office: FakeMailboxes,
        box: FakeMailbox,
        look_up_error: Exception = TransientError("graph_unavailable"),  # noqa: B008
    ) -> None:
        self.looks = 0
        self.is_over = False
        self._office = office
        self._box = box
        self._look_up_error = look_up_error

    async def __call__(self, operation: str) -> None:
        if self.is_over:
            return
        if operation == "move":
            [(key, item)] = self._box.items.items()
            self._box.items[key] = replace(item, folder_id=self._box.folders["deleteditems"])
            raise TransientError("graph_timeout")
        if operation == "look_up":
            self.looks += 1
            raise self._look_up_error
