import pytest

from libs.graph_simulator.options import Options
from libs.graph_simulator.seed import ApplicationSeed, MailboxSeed, TenantSeed
from libs.graph_simulator.server import Simulator
from tests.graph_simulator.client import IMMUTABLE, Graph, error_of, sign_in
from tests.graph_simulator.samples import ALICE, APP, BOB, EVE, PHISH, SECRET, mail

RECEIPT = "Disposition-Notification-To: eve@evil.example\n"
NO_RECEIPT = [
    {"id": "Boolean 0x0C06", "value": "false"},
    {"id": "Boolean 0x0029", "value": "false"},
]


@pytest.fixture
async def message(simulator: Simulator) -> str:
    """The path of Bob's copy by its immutable id."""
    report = simulator.admin.deliver(mail(extra=RECEIPT), EVE, [BOB])
    return f"users/{BOB}/messages/{report.copies[0].immutable_id}"


async def move(graph: Graph, path: str, folder: str, *, immutable: bool = True):
    headers = IMMUTABLE if immutable else {}
    body = {"destinationId": folder}
    return await graph.call("POST", f"{path}/move", json=body, headers=headers)


def only(simulator: Simulator):
    (copy,) = simulator.admin.copies(internet_message_id=PHISH, mailbox=BOB)
    return copy


@pytest.mark.parametrize(
    "folder", ["junkemail", "DeletedItems", "recoverableitemsdeletions", "RecoverableItemsPurges"]
)
async def test_a_move_to_a_named_folder_answers_201_with_the_same_immutable_id(
    graph: Graph, simulator: Simulator, message: str, folder: str
):
    answer = await move(graph, message, folder)

    body, copy = answer.json(), only(simulator)
    assert answer.status_code == 201
    assert message.endswith(body["id"])
    assert (copy.folder, copy.folder_id) == (folder.lower(), body["parentFolderId"])
    assert copy.moved_at is not None
    assert copy.moved_at >= copy.delivered_at
    assert [(one.folder_before, one.by) for one in copy.history] == [("inbox", "application")]


async def test_an_ordinary_id_changes_with_each_move_and_the_old_one_is_gone(
    graph: Graph, simulator: Simulator
):
    simulator.admin.deliver(mail(), EVE, [BOB])
    path = f"users/{BOB}/messages/{only(simulator).graph_message_id}"

    moved = (await move(graph, path, "junkemail", immutable=False)).json()
    again = await move(graph, path, "inbox", immutable=False)

    assert not path.endswith(moved["id"])
    assert error_of(again) == (
        404,
        "ErrorItemNotFound",
        "The specified object was not found in the store.",
    )
    assert moved["id"] == only(simulator).graph_message_id


async def test_an_ordinary_id_does_not_come_back_with_the_copy(
    graph: Graph, simulator: Simulator, message: str
):
    first = only(simulator).graph_message_id
    await move(graph, message, "junkemail")

    await move(graph, message, "inbox")

    assert only(simulator).graph_message_id != first


async def test_a_copy_goes_back_to_the_folder_it_came_from(
    graph: Graph, simulator: Simulator, message: str
):
    simulator.admin.act(BOB, "move", internet_message_id=PHISH, folder="Projects/2026")
    origin = only(simulator).folder_id
    await move(graph, message, "recoverableitemsdeletions")

    answer = await move(graph, message, origin)

    assert answer.status_code == 201
    assert only(simulator).folder == "Projects/2026"


async def test_where_a_deleted_copy_was_is_an_extended_property(
    graph: Graph, simulator: Simulator, message: str
):
    origin = only(simulator).folder_id
    await move(graph, message, "recoverableitemsdeletions")
    query = {"$expand": "singleValueExtendedProperties($filter=id eq 'Binary 0x348A')"}

    (found,) = (await graph.get(message, query)).json()["singleValueExtendedProperties"]

    import base64

    folder = base64.b64decode(origin.replace("-", "/").replace("_", "+"))
    assert base64.b64decode(found["value"]) == folder[-24:-2]


async def test_the_sdk_s_spelling_of_the_destination_is_accepted(graph: Graph, message: str):
    answer = await graph.call("POST", f"{message}/move", json={"DestinationId": "junkemail"})

    assert answer.status_code == 201


async def test_moving_to_where_it_is_changes_neither_id_nor_time(
    graph: Graph, simulator: Simulator, message: str
):
    await move(graph, message, "junkemail")
    before = only(simulator)

    answer = await move(graph, message, "junkemail")

    assert answer.status_code == 201
    after = only(simulator)
    assert (after.graph_message_id, after.moved_at) == (before.graph_message_id, before.moved_at)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"destinationId": "nowhere"}, (400, "ErrorInvalidIdMalformed")),
        ({"destinationId": "archiveinbox"}, (404, "ErrorInvalidMailboxItemId")),
        ({"destinationId": 7}, (400, "ErrorInvalidRequest")),
        ({}, (400, "ErrorInvalidRequest")),
        (None, (400, "BadRequest")),
    ],
)
async def test_a_wrong_destination_is_refused(
    graph: Graph, message: str, body: object, expected: tuple[int, str]
):
    answer = await graph.call("POST", f"{message}/move", json=body)

    assert error_of(answer)[:2] == expected


async def test_a_folder_of_another_mailbox_or_of_none_is_refused(
    graph: Graph, simulator: Simulator, message: str
):
    simulator.admin.deliver(mail(message_id="<2@x>"), EVE, [ALICE])
    (alices,) = simulator.admin.copies(mailbox=ALICE)
    simulator.admin.act(BOB, "move", internet_message_id=PHISH, folder="Old")
    unknown = only(simulator).folder_id[:-8] + "AAE_AAA="

    foreign = await move(graph, message, alices.folder_id)

    assert error_of(foreign)[:2] == (404, "ErrorInvalidMailboxItemId")
    assert error_of(await move(graph, message, unknown))[:2] == (404, "ErrorItemNotFound")


async def test_permanent_delete_purges_without_a_body(
    graph: Graph, simulator: Simulator, message: str
):
    answer = await graph.call("POST", f"{message}/permanentDelete", headers=IMMUTABLE)

    assert (answer.status_code, answer.content) == (204, b"")
    assert only(simulator).folder == "recoverableitemspurges"
    assert await graph.find(BOB, PHISH) == []


async def test_what_is_purged_stays_so(graph: Graph, simulator: Simulator, message: str):
    path = f"{message}/microsoft.graph.permanentDelete"
    assert (await graph.call("POST", path)).status_code == 204

    again = await graph.call("POST", path)
    back = await move(graph, message, "inbox")

    assert error_of(again)[:2] == (403, "ErrorCannotDeleteObject")
    assert error_of(back)[:2] == (404, "ErrorItemNotFound")
    assert only(simulator).folder == "recoverableitemspurges"


@pytest.mark.parametrize("options", [Options(permanent_delete_missing_status=405)])
async def test_clouds_without_permanent_delete_take_the_move_instead(
    graph: Graph, simulator: Simulator
):
    tenant = "33333333-0000-4000-8000-000000000003"
    simulator.admin.add_tenant(
        TenantSeed(
            id=tenant,
            cloud="gcc_high",
            domains=("gov.example",),
            apps=(ApplicationSeed(client_id=APP, client_secret=SECRET),),
            mailboxes=(MailboxSeed(address="x@gov.example"),),
        )
    )
    graph.token = await sign_in(graph.http, simulator.authority_url, tenant=tenant)
    (copy,) = simulator.admin.deliver(mail(), EVE, ["x@gov.example"]).copies
    path = f"users/x@gov.example/messages/{copy.immutable_id}"

    missing = await graph.call("POST", f"{path}/permanentDelete")
    moved = await move(graph, path, "recoverableitemspurges")

    assert (missing.status_code, moved.status_code) == (405, 201)


@pytest.mark.parametrize(
    ("options", "target"),
    [
        (Options(), "recoverableitemsdeletions"),
        (Options(delete_target="deleteditems"), "deleteditems"),
    ],
)
async def test_where_delete_puts_a_copy_is_a_switch(
    graph: Graph, simulator: Simulator, message: str, target: str
):
    answer = await graph.call("DELETE", message)

    assert answer.status_code == 204
    assert only(simulator).folder == target


async def test_a_second_delete_is_403_by_immutable_and_404_by_ordinary_id(
    graph: Graph, simulator: Simulator, message: str
):
    ordinary = f"users/{BOB}/messages/{only(simulator).graph_message_id}"
    await graph.call("DELETE", message)

    by_immutable = await graph.call("DELETE", message)
    by_ordinary = await graph.call("DELETE", ordinary)

    assert error_of(by_immutable) == (403, "ErrorCannotDeleteObject", "Object cannot be deleted.")
    assert error_of(by_ordinary)[:2] == (404, "ErrorItemNotFound")


async def test_a_copy_of_a_copy_has_ids_of_its_own(
    graph: Graph, simulator: Simulator, message: str
):
    body = {"destinationId": "archive"}

    answer = await graph.call("POST", f"{message}/copy", json=body, headers=IMMUTABLE)

    assert answer.status_code == 201
    assert not message.endswith(answer.json()["id"])
    assert sorted(copy.folder for copy in simulator.admin.copies(mailbox=BOB)) == [
        "archive",
        "inbox",
    ]


async def test_flags_and_categories_are_patched(graph: Graph, simulator: Simulator, message: str):
    before = (await graph.get(message)).json()

    answer = await graph.call(
        "PATCH",
        message,
        json={"isRead": True, "categories": ["Red"], "flag": {"flagStatus": "flagged"}},
    )

    after = answer.json()
    assert answer.status_code == 200
    assert (after["isRead"], after["categories"]) == (True, ["Red"])
    assert after["flag"] == {"flagStatus": "flagged"}
    assert after["changeKey"] != before["changeKey"]
    assert only(simulator).categories == ("Red",)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"isRead": "yes"}, "RequestBodyRead"),
        ({"receivedDateTime": "2026-01-01T00:00:00Z"}, "ErrorInvalidPropertySet"),
        (
            {"singleValueExtendedProperties": [{"id": "0x0029", "value": "false"}]},
            "ErrorInvalidProperty",
        ),
        (
            {"singleValueExtendedProperties": [{"id": "Boolean 0x0029", "value": "no"}]},
            "ErrorInvalidProperty",
        ),
        (["isRead"], "BadRequest"),
    ],
)
async def test_a_wrong_patch_is_refused(graph: Graph, message: str, body: object, code: str):
    assert error_of(await graph.call("PATCH", message, json=body))[:2] == (400, code)


async def test_deleting_unread_mail_tells_a_sender_who_asked(
    graph: Graph, simulator: Simulator, message: str
):
    await move(graph, message, "recoverableitemsdeletions")

    (receipt,) = simulator.admin.receipts()
    assert (receipt.mailbox, receipt.kind) == (BOB, "deleted_unread")


async def test_deleting_after_the_receipt_was_called_off_tells_nobody(
    graph: Graph, simulator: Simulator, message: str
):
    asked = (await graph.get(message)).json()["isReadReceiptRequested"]
    patched = await graph.call("PATCH", message, json={"singleValueExtendedProperties": NO_RECEIPT})

    await graph.call("POST", f"{message}/permanentDelete")

    assert asked is True
    assert patched.json()["isReadReceiptRequested"] is False
    assert simulator.admin.receipts() == []


async def test_reading_answers_a_receipt_once(graph: Graph, simulator: Simulator, message: str):
    await graph.call("PATCH", message, json={"isRead": True})
    await move(graph, message, "deleteditems")

    assert [one.kind for one in simulator.admin.receipts()] == ["read"]
