"""Taking mail back, from the command to the mailboxes."""

import pytest

from libs.common.contracts.retraction import RetractionAccepted, RetractionPlanned
from tests.retractor.rig import Mail

EVERYBODY = ("ann@acme.example", "bob@acme.example")
PHISH = Mail(to=EVERYBODY)


@pytest.mark.parametrize(
    ("destination", "folder"),
    [
        ("junk", "junkemail"),
        ("trash", "deleteditems"),
        ("soft_delete", "recoverableitemsdeletions"),
        ("hard_delete", "recoverableitemspurges"),
    ],
)
async def test_every_copy_goes_where_the_command_says(destination, folder, rig, simulator, folders):
    simulator.admin.deliver(PHISH.mime(), PHISH.sender, PHISH.to)
    await rig.journal(PHISH)

    retraction_id = await rig.retract(PHISH, destination)
    finished = await rig.finished(retraction_id)

    assert folders(PHISH.internet_message_id) == {"ann": folder, "bob": folder}
    assert (finished.status, finished.counts.moved) == ("finished", 2)
    assert {one.folder_before for one in rig.settled(retraction_id)} == {"inbox"}
    assert {one.folder_after for one in rig.settled(retraction_id)} == {folder}
    assert rig.published.contracts(RetractionAccepted)[0].mailboxes == 2
