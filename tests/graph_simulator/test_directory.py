import pytest

from tests.graph_simulator.client import Graph, error_of
from tests.graph_simulator.samples import ALICE, BOB


async def names(graph: Graph, text: str) -> list[str]:
    answer = await graph.get("users", {"$filter": text, "$select": "mail"})
    assert answer.status_code == 200, answer.text
    return [user["mail"] for user in answer.json()["value"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("proxyAddresses/any(p:p eq 'smtp:a.smith@contoso.example')", [ALICE]),
        ("proxyAddresses/any(p:p eq 'SMTP:A.Smith@CONTOSO.example')", [ALICE]),
        ("proxyAddresses/any(p:p eq 'SMTP:bob@contoso.example')", [BOB]),
        ("proxyAddresses/any(x:startswith(x,'smtp:a.s'))", [ALICE]),
        ("mail eq 'BOB@contoso.example'", [BOB]),
        ("userPrincipalName eq 'bob@contoso.example'", [BOB]),
        (
            "mail eq 'bob@contoso.example' or userPrincipalName eq 'alice@contoso.example'",
            [ALICE, BOB],
        ),
        ("mail eq 'dora@fabrikam.example'", []),
        ("mail eq 'o''hara@contoso.example'", []),
    ],
)
async def test_users_are_found_by_address(graph: Graph, text: str, expected: list[str]):
    assert await names(graph, text) == expected


async def test_pages_hold_everybody_once(graph: Graph):
    path, query = "users", {"$top": "4", "$select": "id,userPrincipalName,proxyAddresses"}
    found, pages = [], 0
    answer = await graph.get(path, query)
    while True:
        body, pages = answer.json(), pages + 1
        found += [user["userPrincipalName"] for user in body["value"]]
        link = body.get("@odata.nextLink")
        if link is None:
            break
        assert "skiptoken" in link
        answer = await graph.get(link.removeprefix(f"{graph.url}/v1.0/"))

    assert pages == 3
    assert len(found) == len(set(found)) == 10


async def test_a_user_is_known_by_id_and_principal_name_but_not_by_alias(graph: Graph):
    by_name = (await graph.get(f"users/{ALICE.upper()}")).json()
    by_id = (await graph.get(f"users/{by_name['id']}")).json()
    by_key = (await graph.get(f"users('{ALICE}')")).json()
    by_alias = await graph.get("users/a.smith@contoso.example")

    assert by_name["displayName"] == "Alice Smith"
    assert by_id["id"] == by_key["id"] == by_name["id"]
    assert "proxyAddresses" not in by_name
    assert error_of(by_alias)[:2] == (404, "Request_ResourceNotFound")


async def test_a_shared_mailbox_is_a_disabled_account(graph: Graph):
    answer = await graph.get("users/info@contoso.example", {"$select": "accountEnabled"})

    assert answer.json()["accountEnabled"] is False


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"$filter": "jobTitle eq 'x'"}, (400, "Request_UnsupportedQuery")),
        ({"$filter": "proxyAddresses eq 'x'"}, (400, "Request_UnsupportedQuery")),
        ({"$filter": "endswith(mail,'contoso.example')"}, (400, "Request_UnsupportedQuery")),
        ({"$filter": "mail eq"}, (400, "RequestBroker--ParseUri")),
        ({"$select": "shoeSize"}, (400, "BadRequest")),
        ({"$top": "1000"}, (400, "BadRequest")),
        ({"$top": "0"}, (400, "BadRequest")),
        ({"$skiptoken": "nonsense"}, (400, "Directory_ExpiredPageToken")),
        ({"$nonsense": "1"}, (400, "BadRequest")),
    ],
)
async def test_a_wrong_query_is_refused(
    graph: Graph, query: dict[str, str], expected: tuple[int, str]
):
    assert error_of(await graph.get("users", query))[:2] == expected


async def test_advanced_filters_need_the_consistency_level(graph: Graph):
    answer = await graph.call(
        "GET",
        "users",
        query={"$filter": "endswith(mail,'b@contoso.example')", "$count": "true"},
        headers={"ConsistencyLevel": "eventual"},
    )

    assert [user["mail"] for user in answer.json()["value"]] == [BOB]
    assert answer.json()["@odata.count"] == 1


async def test_a_tenant_sees_only_its_own(graph: Graph):
    answer = await graph.get("users/dora@fabrikam.example")

    assert error_of(answer)[:2] == (404, "Request_ResourceNotFound")
