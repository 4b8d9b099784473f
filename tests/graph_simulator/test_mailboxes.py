import pytest

from libs.graph_simulator.options import Options
from libs.graph_simulator.server import Simulator
from tests.graph_simulator.client import Graph, error_of, sign_in
from tests.graph_simulator.samples import ALICE, BOB, EVE, READER, mail

NO_CLOUD = (
    404,
    "MailboxNotEnabledForRESTAPI",
    "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
)


async def displayed(graph: Graph, path: str, query: dict[str, str] | None = None) -> list[str]:
    answer = await graph.get(path, query)
    assert answer.status_code == 200, answer.text
    return [one["displayName"] for one in answer.json()["value"]]


async def test_folders_are_listed_without_hidden_and_recoverable_ones(graph: Graph):
    shown = await displayed(graph, f"users/{ALICE}/mailFolders", {"$top": "50"})
    everything = await displayed(
        graph, f"users/{ALICE}/mailFolders", {"$top": "50", "includeHiddenFolders": "true"}
    )

    assert {"Inbox", "Sent Items", "Deleted Items", "Junk Email", "Projects"} <= set(shown)
    assert "Sync Issues" not in shown
    assert "Sync Issues" in everything
    assert not {"Recoverable Items", "Deletions", "Purges"} & set(everything)


async def test_folders_come_in_pages_and_have_children(graph: Graph):
    first = (await graph.get(f"users/{ALICE}/mailFolders")).json()
    folders = (await graph.get(f"users/{ALICE}/mailFolders", {"$top": "50"})).json()["value"]
    projects = next(one for one in folders if one["displayName"] == "Projects")

    assert len(first["value"]) == min(10, len(folders))
    assert await displayed(graph, f"users/{ALICE}/mailFolders/{projects['id']}/childFolders") == [
        "2026"
    ]
    assert projects["childFolderCount"] == 1


@pytest.mark.parametrize(
    "name",
    [
        "inbox",
        "SentItems",
        "msgfolderroot",
        "archive",
        "clutter",
        "conflicts",
        "recoverableitemsdeletions",
        "RecoverableItemsPurges",
        "recoverableitemsversions",
        "RecoverableItemsDiscoveryHolds",
        "recoverableitemsroot",
    ],
)
async def test_a_well_known_folder_is_reached_by_name_and_by_its_constant_id(
    graph: Graph, name: str
):
    by_name = (await graph.get(f"users/{ALICE}/mailFolders/{name}")).json()
    by_id = (await graph.get(f"users/{ALICE}/mailFolders/{by_name['id']}", immutable=True)).json()

    assert by_id["id"] == by_name["id"]
    assert "wellKnownName" not in by_name


async def test_beta_tells_well_known_names(graph: Graph):
    graph.version = "beta"

    answer = await graph.get(f"users/{ALICE}/mailFolders/junkemail")

    assert answer.json()["wellKnownName"] == "junkemail"


@pytest.mark.parametrize("options", [Options(unlisted_folder_names=False)])
async def test_unlisted_names_can_be_switched_off(graph: Graph):
    listed = await graph.get(f"users/{ALICE}/mailFolders/recoverableitemsdeletions")
    unlisted = await graph.get(f"users/{ALICE}/mailFolders/recoverableitemspurges")

    assert listed.status_code == 200
    assert error_of(unlisted)[:2] == (400, "ErrorInvalidIdMalformed")


async def test_folders_count_their_messages(graph: Graph, simulator: Simulator):
    simulator.admin.deliver(mail(), EVE, [BOB])

    inbox = (await graph.get(f"users/{BOB}/mailFolders/inbox")).json()

    assert (inbox["totalItemCount"], inbox["unreadItemCount"]) == (1, 1)
    assert inbox["sizeInBytes"] == len(mail())


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("on_premises@contoso.example", NO_CLOUD),
        ("soft_deleted@contoso.example", NO_CLOUD),
        ("no_mailbox@contoso.example", NO_CLOUD),
        (
            "out_of_scope@contoso.example",
            (403, "ErrorAccessDenied", "Access is denied. Check credentials and try again."),
        ),
        (
            "out_of_policy@contoso.example",
            (403, "ErrorAccessDenied", "Access to OData is disabled."),
        ),
        (
            "nobody@contoso.example",
            (404, "ErrorInvalidUser", "The requested user 'nobody@contoso.example' is invalid."),
        ),
        (
            "a.smith@contoso.example",
            (404, "ErrorInvalidUser", "The requested user 'a.smith@contoso.example' is invalid."),
        ),
        (
            "dora@fabrikam.example",
            (404, "ErrorInvalidUser", "The requested user 'dora@fabrikam.example' is invalid."),
        ),
    ],
)
async def test_a_mailbox_that_cannot_be_reached_says_why(
    graph: Graph, user: str, expected: tuple[int, str, str]
):
    assert error_of(await graph.get(f"users/{user}/messages")) == expected


@pytest.mark.parametrize("user", ["info@contoso.example", "room@contoso.example"])
async def test_shared_and_room_mailboxes_are_ordinary(
    graph: Graph, simulator: Simulator, user: str
):
    simulator.admin.deliver(mail(), EVE, [user])

    assert len((await graph.get(f"users/{user}/messages")).json()["value"]) == 1


async def test_users_are_also_named_by_object_id(graph: Graph, simulator: Simulator):
    (copy,) = simulator.admin.deliver(mail(), EVE, [BOB]).copies

    answer = await graph.get(f"users/{copy.user_id}/messages/{copy.immutable_id}")

    assert answer.status_code == 200


async def test_a_mailbox_may_become_unreachable(graph: Graph, simulator: Simulator):
    simulator.admin.set_kind(BOB, "soft_deleted")

    assert error_of(await graph.get(f"users/{BOB}/messages"))[:2] == NO_CLOUD[:2]


async def test_ids_of_other_mailboxes_and_damaged_ones_are_told_apart(
    graph: Graph, simulator: Simulator
):
    alices, _ = simulator.admin.deliver(mail(), EVE, [ALICE, BOB]).copies

    async def answer(name: str) -> tuple[int, str, str]:
        return error_of(await graph.get(f"users/{BOB}/messages/{name}"))

    assert await answer(alices.graph_message_id) == (
        404,
        "ErrorInvalidMailboxItemId",
        "Item Id doesn't belong to the current mailbox.",
    )
    assert (await answer(alices.immutable_id))[:2] == (404, "ErrorItemNotFound")
    assert await answer("nonsense") == (400, "ErrorInvalidIdMalformed", "Id is malformed.")
    assert (await answer(alices.graph_message_id.lower()))[0] in {400, 404}


async def test_an_application_that_may_only_read_cannot_move(graph: Graph, simulator: Simulator):
    (copy,) = simulator.admin.deliver(mail(), EVE, [BOB]).copies
    graph.token = await sign_in(graph.http, simulator.authority_url, READER)
    path = f"users/{BOB}/messages/{copy.immutable_id}"

    read = await graph.get(path)
    moved = await graph.call("POST", f"{path}/move", json={"destinationId": "junkemail"})
    users = await graph.get("users")

    assert read.status_code == 200
    assert error_of(moved)[:2] == (403, "ErrorAccessDenied")
    assert error_of(users) == (
        403,
        "Authorization_RequestDenied",
        "Insufficient privileges to complete the operation.",
    )


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "widgets", (400, "BadRequest", "Resource not found for the segment 'widgets'.")),
        (
            "GET",
            f"users/{BOB}/widgets",
            (400, "BadRequest", "Resource not found for the segment 'widgets'."),
        ),
        (
            "PUT",
            f"users/{BOB}/messages",
            (
                405,
                "Request_BadRequest",
                "Specified HTTP method is not allowed for the request target.",
            ),
        ),
    ],
)
async def test_paths_that_lead_nowhere_are_refused(
    graph: Graph, method: str, path: str, expected: tuple[int, str, str]
):
    assert error_of(await graph.call(method, path)) == expected


async def test_every_answer_can_be_traced(graph: Graph):
    answer = await graph.call("GET", "users", headers={"client-request-id": "mine"})
    failed = await graph.get("widgets")

    assert answer.headers["client-request-id"] == "mine"
    assert answer.headers["request-id"] != "mine"
    assert "ServerInfo" in answer.headers["x-ms-ags-diagnostic"]
    inner = failed.json()["error"]["innerError"]
    assert inner["request-id"] == failed.headers["request-id"]
    assert inner["client-request-id"] == failed.headers["client-request-id"]


async def test_a_body_that_is_no_json_is_refused(graph: Graph):
    answer = await graph.http.post(
        f"{graph.url}/v1.0/$batch",
        content=b"{",
        headers={"Authorization": f"Bearer {graph.token}", "Content-Type": "application/json"},
    )

    assert error_of(answer)[:2] == (400, "BadRequest")


async def test_a_body_that_is_too_large_is_refused(graph: Graph):
    answer = await graph.call("POST", "$batch", json={"requests": [], "padding": "x" * 4_200_000})

    assert error_of(answer)[:2] == (413, "RequestEntityTooLarge")
