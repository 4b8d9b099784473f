import base64

import pytest

from libs.graph_simulator.options import Options
from libs.graph_simulator.server import Simulator
from libs.graph_simulator.world import ids
from tests.graph_simulator.client import IMMUTABLE, Graph, error_of
from tests.graph_simulator.samples import ALICE, BOB, EVE, PHISH, mail

MESSAGES = f"users/{BOB}/messages"


@pytest.fixture(autouse=True)
def delivered(simulator: Simulator):
    return simulator.admin.deliver(mail(), EVE, [ALICE, BOB])


async def subjects(graph: Graph, query: dict[str, str], path: str = MESSAGES) -> list[str]:
    answer = await graph.get(path, query)
    assert answer.status_code == 200, answer.text
    return [one["subject"] for one in answer.json()["value"]]


async def test_a_message_is_found_by_its_message_id_however_odd(graph: Graph):
    (found,) = await graph.find(BOB, PHISH)

    assert found["internetMessageId"] == PHISH
    assert found["subject"] == "Your invoice"
    assert found["from"] == {"emailAddress": {"name": "Eve Mallory", "address": EVE}}
    assert [one["emailAddress"]["address"] for one in found["toRecipients"]] == [ALICE, BOB]
    assert found["sentDateTime"] == "2026-01-05T08:59:00Z"
    assert (found["isRead"], found["isDraft"], found["bccRecipients"]) == (False, False, [])
    assert found["body"] == {"contentType": "text", "content": "Please pay.\r\n"}


async def test_query_names_may_be_escaped_and_segments_in_any_case(graph: Graph):
    text = "%24filter=internetMessageId%20eq%20%27%3Cnone%40x%3E%27&%24SELECT=id"

    answer = await graph.get(f"USERS/{BOB}/Messages?{text}")

    assert (answer.status_code, answer.json()["value"]) == (200, [])


async def test_all_copies_with_that_id_are_found_but_those_in_recoverable_items(
    graph: Graph, simulator: Simulator
):
    simulator.admin.deliver(mail(), EVE, [BOB])
    simulator.admin.deliver(mail(), EVE, [BOB])
    first, second, _ = simulator.admin.copies(mailbox=BOB)
    simulator.admin.act(BOB, "move", immutable_id=first.immutable_id, folder="junkemail")
    simulator.admin.act(BOB, "soft_delete", immutable_id=second.immutable_id)

    found = await graph.find(BOB, PHISH)
    hidden = await graph.get(
        f"users/{BOB}/mailFolders/recoverableitemsdeletions/messages", immutable=True
    )

    assert len(found) == 2
    assert [one["id"] for one in hidden.json()["value"]] == [second.immutable_id]


async def test_the_count_of_all_messages_is_too_high(graph: Graph, simulator: Simulator):
    simulator.admin.act(BOB, "soft_delete", internet_message_id=PHISH)

    answer = (await graph.get(MESSAGES, {"$count": "true"})).json()

    assert (answer["@odata.count"], answer["value"]) == (1, [])


async def test_selected_properties_and_no_others_are_written(graph: Graph):
    query = {"$select": "Subject,internetMessageHeaders"}

    (found,) = (await graph.get(MESSAGES, query)).json()["value"]

    assert set(found) == {"@odata.etag", "id", "subject", "internetMessageHeaders"}
    assert {"name": "Message-ID", "value": PHISH} in found["internetMessageHeaders"]


async def test_headers_are_written_only_where_selected(graph: Graph):
    (found,) = (await graph.get(MESSAGES)).json()["value"]

    assert "internetMessageHeaders" not in found
    assert "singleValueExtendedProperties" not in found


async def test_extended_properties_are_expanded_by_id(graph: Graph, simulator: Simulator):
    extra = "In-Reply-To: <parent@x.example>\nReferences: <root@x.example>\n <parent@x.example>\n"
    simulator.admin.deliver(mail(message_id="<child@x.example>", extra=extra), EVE, [BOB])
    wanted = "id eq 'String 0x1042' or id eq 'String 0x1039' or id eq 'Boolean 0x0C06'"
    query = {
        "$filter": "internetMessageId eq '<child@x.example>'",
        "$expand": f"singleValueExtendedProperties($filter={wanted})",
        "$select": "id",
    }

    (found,) = (await graph.get(MESSAGES, query)).json()["value"]

    assert {one["id"]: one["value"] for one in found["singleValueExtendedProperties"]} == {
        "String 0x1042": "<parent@x.example>",
        "String 0x1039": "<root@x.example> <parent@x.example>",
        "Boolean 0x0C06": "false",
    }


async def test_answers_are_found_by_the_id_of_what_they_answer(graph: Graph, simulator: Simulator):
    simulator.admin.reply(ALICE, PHISH, to=[BOB])
    parent = PHISH.replace("'", "''")
    text = (
        "singleValueExtendedProperties/Any(ep: ep/id eq 'String 0x1042' "
        f"and ep/value eq '{parent}')"
    )

    assert await subjects(graph, {"$filter": text}) == ["RE: Your invoice"]


async def test_pages_follow_the_next_link_newest_first(graph: Graph, simulator: Simulator):
    for number in range(12):
        simulator.admin.deliver(mail(message_id=f"<{number}@x>", subject=f"n{number}"), EVE, [BOB])
    first = (await graph.get(MESSAGES, {"$select": "subject"})).json()
    link = first["@odata.nextLink"]
    second = (await graph.get(link.removeprefix(f"{graph.url}/v1.0/"))).json()

    assert len(first["value"]) == 10
    assert [one["subject"] for one in first["value"]][:2] == ["n11", "n10"]
    assert [one["subject"] for one in second["value"]] == ["n1", "n0", "Your invoice"]
    assert "@odata.nextLink" not in second
    assert set(second["value"][0]) == {"@odata.etag", "id", "subject"}


async def test_a_conversation_is_found_by_the_mailbox_s_own_id_only(
    graph: Graph, simulator: Simulator
):
    simulator.admin.reply(ALICE, PHISH, to=[BOB])
    mine = {one.mailbox: one for one in simulator.admin.copies(internet_message_id=PHISH)}
    alices, bobs = mine[ALICE].conversation_id, mine[BOB].conversation_id

    assert alices != bobs
    assert await subjects(graph, {"$filter": f"conversationId eq '{bobs}'"}) == ["Your invoice"]
    assert await subjects(graph, {"$filter": f"conversationId eq '{alices}'"}) == []


async def test_the_conversation_of_a_thread_index_is_one_in_all_mailboxes(
    graph: Graph, simulator: Simulator
):
    guid = bytes(range(16))
    header = base64.b64encode(b"\x01\xdc\x7d\x00\x00\x00" + guid).decode()
    extra = f"Thread-Index: {header}\n"
    simulator.admin.deliver(mail(message_id="<t@x>", extra=extra), EVE, [ALICE, BOB])
    (found,) = await graph.find(BOB, "<t@x>")
    mailbox_guid = ids.parse(found["parentFolderId"]).mailbox_guid
    assert mailbox_guid is not None

    computed = ids.conversation_id(mailbox_guid, guid)

    assert found["conversationIndex"] == header
    assert found["conversationId"] == computed
    assert await subjects(graph, {"$filter": f"conversationId eq '{computed}'"}) == ["Your invoice"]


@pytest.mark.parametrize("options", [Options(new_conversation="shared"), Options()])
async def test_whether_new_mail_is_one_conversation_everywhere_is_a_switch(
    simulator: Simulator, options: Options
):
    guids = {one.conversation_guid for one in simulator.admin.copies(internet_message_id=PHISH)}

    assert len(guids) == (1 if options.new_conversation == "shared" else 2)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"$filter": "isRead eq false", "$orderby": "receivedDateTime"}, "InefficientFilter"),
        (
            {
                "$filter": "isRead eq false and receivedDateTime ge 2026-01-01T00:00:00Z",
                "$orderby": "receivedDateTime desc",
            },
            "InefficientFilter",
        ),
        ({"$filter": "shoeSize eq 1"}, "RequestBroker--ParseUri"),
        ({"$filter": "isRead eq"}, "RequestBroker--ParseUri"),
        ({"$filter": "conversationId eq 'x'"}, "ErrorInvalidIdMalformed"),
        ({"$select": "shoeSize"}, "RequestBroker--ParseUri"),
        ({"$orderby": "shoeSize"}, "RequestBroker--ParseUri"),
        ({"$expand": "attachments"}, "BadRequest"),
        ({"$top": "1001"}, "BadRequest"),
        ({"$top": "x"}, "BadRequest"),
        ({"$skip": "-1"}, "BadRequest"),
        ({"$nonsense": "1"}, "BadRequest"),
    ],
)
async def test_a_wrong_query_is_refused(graph: Graph, query: dict[str, str], code: str):
    assert error_of(await graph.get(MESSAGES, query))[:2] == (400, code)


async def test_order_and_filter_agree_where_the_order_comes_first(graph: Graph):
    query = {
        "$filter": "receivedDateTime ge 2020-01-01T00:00:00Z and isRead eq false",
        "$orderby": "receivedDateTime asc",
    }

    assert await subjects(graph, query) == ["Your invoice"]


@pytest.mark.parametrize(
    ("options", "found"),
    [(Options(message_id_case_sensitive=True), 0), (Options(), 1)],
)
async def test_whether_message_ids_have_a_case_is_a_switch(graph: Graph, found: int):
    assert len(await graph.find(BOB, PHISH.upper())) == found


async def test_raw_mime_is_given(graph: Graph):
    (found,) = await graph.find(BOB, PHISH)

    answer = await graph.get(f"{MESSAGES}/{found['id']}/$value")

    assert answer.content == mail()


async def test_beta_answers_as_v1_does(graph: Graph):
    graph.version = "beta"

    assert len(await graph.find(BOB, PHISH)) == 1


async def test_the_preference_is_applied_only_where_it_was_sent(graph: Graph):
    with_it = await graph.call("GET", MESSAGES, headers=IMMUTABLE)
    without = await graph.get(MESSAGES)

    assert with_it.headers["preference-applied"] == "IdType=ImmutableId"
    assert "preference-applied" not in without.headers
    assert with_it.json()["value"][0]["id"].startswith("AAkALg")
    assert without.json()["value"][0]["id"].startswith("AAMk")
