import pytest

from libs.graph_simulator.graph.failures import Effect, Match, Rule
from libs.graph_simulator.options import Batches, Latency, Options, Throttling
from libs.graph_simulator.server import Simulator
from tests.graph_simulator.client import Graph, error_of, move_step, step
from tests.graph_simulator.samples import ALICE, BOB, CAROL, EVE, mail

JSON = {"Content-Type": "application/json"}
SLOW = Options(latency=Latency(median_ms=30))


def get(number: object, user: str = BOB, **fields: object) -> dict:
    return step(number, "GET", f"/users/{user}/messages?$select=subject", **fields)


async def answers(graph: Graph, *requests: dict) -> dict[str, dict]:
    answer = await graph.batch(*requests)
    assert answer.status_code == 200, answer.text
    responses = answer.json()["responses"]
    found = {one["id"]: one for one in responses}
    assert len(found) == len(responses)
    return found


async def test_twenty_operations_over_mailboxes_go_in_one_request(
    graph: Graph, simulator: Simulator
):
    copies = simulator.admin.deliver(mail(to=(ALICE, BOB)), EVE, [ALICE, BOB]).copies
    finds = [get(number, CAROL) for number in range(18)]
    moves = [
        move_step(18 + number, copy.mailbox, copy.immutable_id, "junkemail")
        for number, copy in enumerate(copies)
    ]

    found = await answers(graph, *finds, *moves)

    assert {one["status"] for key, one in found.items() if int(key) < 18} == {200}
    assert {found["18"]["status"], found["19"]["status"]} == {201}
    assert found["18"]["body"]["id"] == copies[0].immutable_id
    assert found["18"]["headers"]["Preference-Applied"] == "IdType=ImmutableId"
    assert {copy.folder for copy in simulator.admin.copies()} == {"junkemail"}
    assert simulator.admin.statistics()["http_requests"] == 1


async def test_answers_come_in_any_order(graph: Graph):
    orders = set()
    for _ in range(5):
        answer = await graph.batch(*(get(number) for number in range(10)))
        orders.add(tuple(one["id"] for one in answer.json()["responses"]))

    assert len(orders) > 1


async def test_inner_headers_are_text_and_inner_bodies_are_json(graph: Graph):
    found = await answers(graph, get(1), step(2, "GET", f"/users/{BOB}/messages/nonsense"))

    assert isinstance(found["1"]["body"]["value"], list)
    assert all(isinstance(one, str) for one in found["1"]["headers"].values())
    assert (found["2"]["status"], found["2"]["body"]["error"]["code"]) == (
        400,
        "ErrorInvalidIdMalformed",
    )


async def test_paths_may_lack_the_slash_and_escape_the_dollar(graph: Graph):
    found = await answers(
        graph,
        step(1, "get", f"users/{BOB}/messages?%24top=1"),
        step("two", "GET", f"/users('{BOB}')?$select=id"),
    )

    assert [found["1"]["status"], found["two"]["status"]] == [200, 200]


async def test_an_answer_without_content_has_no_body(graph: Graph, simulator: Simulator):
    (copy,) = simulator.admin.deliver(mail(), EVE, [BOB]).copies
    path = f"/users/{BOB}/messages/{copy.immutable_id}/permanentDelete"

    found = await answers(graph, step(1, "POST", path, headers=JSON, body={}))

    assert found["1"]["status"] == 204
    assert "body" not in found["1"]


async def test_immutable_ids_are_asked_for_by_each_step(graph: Graph, simulator: Simulator):
    simulator.admin.deliver(mail(), EVE, [BOB])
    graph.headers["Prefer"] = 'IdType="ImmutableId"'

    found = await answers(graph, get(1), get(2, headers={"Prefer": 'IdType="ImmutableId"'}))

    assert found["1"]["body"]["value"][0]["id"].startswith("AAMk")
    assert found["2"]["body"]["value"][0]["id"].startswith("AAkALg")


async def test_a_chain_goes_in_order_and_its_end_sees_its_beginning(
    graph: Graph, simulator: Simulator
):
    extra = "Disposition-Notification-To: eve@evil.example\n"
    (copy,) = simulator.admin.deliver(mail(extra=extra), EVE, [BOB]).copies
    path = f"/users/{BOB}/messages/{copy.immutable_id}"
    receipts = [{"id": f"Boolean {tag}", "value": "false"} for tag in ("0x0C06", "0x0029")]
    body = {"singleValueExtendedProperties": receipts}

    found = await answers(
        graph,
        step("patch", "PATCH", path, headers=JSON, body=body),
        move_step("move", BOB, copy.immutable_id, "recoverableitemsdeletions", dependsOn=["PATCH"]),
    )

    assert (found["patch"]["status"], found["move"]["status"]) == (200, 201)
    assert simulator.admin.receipts() == []


async def test_what_depends_on_a_failure_fails_and_is_not_carried_out(
    graph: Graph, simulator: Simulator
):
    (copy,) = simulator.admin.deliver(mail(), EVE, [BOB]).copies

    found = await answers(
        graph,
        step(1, "GET", f"/users/{BOB}/messages/nonsense"),
        move_step(2, BOB, copy.immutable_id, "junkemail", dependsOn=["1"]),
        move_step(3, BOB, copy.immutable_id, "archive", dependsOn=["2"]),
        get(4),
    )

    assert [found[key]["status"] for key in "1234"] == [400, 424, 424, 200]
    assert found["2"]["body"]["error"]["code"] == "FailedDependency"
    assert simulator.admin.copies()[0].folder == "inbox"


def _chain() -> list[dict]:
    return [get(1), get(2, dependsOn=["1"]), get(3)]


@pytest.mark.parametrize("options", [Options(batches=Batches(mixed="refuse"))])
async def test_batches_neither_ordered_nor_parallel_can_be_refused(graph: Graph):
    mixed = await graph.batch(*_chain())
    whole = await graph.batch(*_chain()[:2])

    assert error_of(mixed)[2] == "Batch should be either fully sequential or fully parallel."
    assert whole.status_code == 200


@pytest.mark.parametrize(
    ("requests", "code", "words"),
    [
        ([get(n) for n in range(21)], "MaximumValueExceeded", "maximum value of 20"),
        ([get(1), get(1)], "BadRequest", "has to be unique"),
        ([get("a"), get("A")], "BadRequest", "has to be unique"),
        ([get(1, dependsOn=["2"]), get(2)], "BadRequest", "Invalid dependency for request Id 1"),
        ([get(1, dependsOn=["9"])], "BadRequest", "Invalid dependency for request Id 1"),
        ([get(1, dependsOn="1")], "BadRequest", "Invalid dependency for request Id 1"),
        ([], "BadRequest", "Invalid batch payload format."),
        (["x"], "BadRequest", "Invalid batch payload format."),
        ([{"id": 1, "method": "GET", "url": "/users"}], "BadRequest", "Invalid batch payload"),
        ([{"id": "1", "method": "GET"}], "BadRequest", "Invalid batch payload"),
        ([step(1, "TRACE", "/users")], "BadRequest", "Invalid method"),
        ([step(1, "GET", "https://graph.microsoft.com/v1.0/users")], "BadRequest", "relative"),
        ([step(1, "POST", "/$batch", headers=JSON, body={})], "BadRequest", "Nested"),
        ([get(1, headers={"X": 1})], "BadRequest", "Invalid headers"),
        (
            [step(1, "POST", "/users/x/messages/y/move", body={"destinationId": "inbox"})],
            "BadRequest",
            "does not contain a Content-Type header",
        ),
        (
            [step(1, "POST", "/users/x/messages/y/permanentDelete", headers=JSON)],
            "BadRequest",
            "Write request id : 1 does not contain Content-Type header or body.",
        ),
    ],
)
async def test_a_wrong_batch_is_refused_whole(
    graph: Graph, simulator: Simulator, requests: list, code: str, words: str
):
    status, found, message = error_of(await graph.batch(*requests))

    assert (status, found) == (400, code)
    assert words in message
    assert simulator.admin.statistics()["calls"] == {}


@pytest.mark.parametrize("options", [Options(batches=Batches(bodyless_writes="accept"))])
async def test_writes_without_body_can_be_allowed(graph: Graph, simulator: Simulator):
    (copy,) = simulator.admin.deliver(mail(), EVE, [BOB]).copies
    path = f"/users/{BOB}/messages/{copy.immutable_id}/permanentDelete"

    found = await answers(graph, step(1, "POST", path))

    assert found["1"]["status"] == 204


async def test_a_delete_needs_no_body(graph: Graph, simulator: Simulator):
    (copy,) = simulator.admin.deliver(mail(), EVE, [BOB]).copies

    found = await answers(graph, step(1, "DELETE", f"/users/{BOB}/messages/{copy.immutable_id}"))

    assert found["1"]["status"] == 204


@pytest.mark.parametrize("options", [SLOW])
async def test_outlook_gets_four_at_a_time_from_one_batch(graph: Graph, simulator: Simulator):
    found = await answers(graph, *(get(number) for number in range(20)))

    assert {one["status"] for one in found.values()} == {200}
    assert simulator.admin.statistics()["highest_concurrency"] == {BOB: 4}


@pytest.mark.parametrize("options", [SLOW.model_copy(update={"batches": Batches(sending="burst")})])
async def test_in_the_old_way_a_mailbox_s_fifth_at_once_is_throttled(graph: Graph):
    found = await answers(graph, *(get(number) for number in range(6)), get("other", CAROL))

    throttled = [one for one in found.values() if one["status"] == 429]
    assert len(throttled) == 2
    assert throttled[0]["headers"] == {
        "Retry-After": "1",
        "Cache-Control": "private",
        "Content-Type": "application/json",
    }
    assert throttled[0]["body"]["error"]["code"] == "ApplicationThrottled"
    assert found["other"]["status"] == 200


@pytest.mark.parametrize("options", [SLOW])
async def test_an_ordered_batch_goes_one_at_a_time(graph: Graph, simulator: Simulator):
    await answers(graph, get(1), *(get(n, dependsOn=[str(n - 1)]) for n in range(2, 6)))

    assert simulator.admin.statistics()["highest_concurrency"] == {BOB: 1}


@pytest.mark.parametrize("options", [Options(throttling=Throttling(mailbox_requests=3))])
async def test_inner_calls_count_against_the_limits(graph: Graph):
    found = await answers(graph, *(get(number) for number in range(5)))

    statuses = sorted(one["status"] for one in found.values())
    assert statuses == [200, 200, 200, 429, 429]


async def test_an_answer_can_be_left_out_of_a_batch(graph: Graph, simulator: Simulator):
    rule = Rule(match=Match(mailbox=BOB), effect=Effect(omit=True), when="after")
    simulator.admin.add_rule(rule)

    found = await answers(graph, get(1, BOB), get(2, CAROL))

    assert set(found) == {"2"}


async def test_a_batch_as_a_whole_can_be_throttled(graph: Graph, simulator: Simulator):
    effect = Effect(status=429, code="TooManyRequests", retry_after="2.128")
    simulator.admin.add_rule(Rule(match=Match(operation="batch"), effect=effect))

    answer = await graph.batch(get(1))

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2.128")
    assert simulator.admin.statistics()["calls"] == {}


async def test_beta_has_batches_too(graph: Graph, simulator: Simulator):
    simulator.admin.deliver(mail(), EVE, [BOB])
    graph.version = "beta"

    found = await answers(graph, step(1, "GET", f"/users/{BOB}/mailFolders/inbox"))

    assert found["1"]["body"]["wellKnownName"] == "inbox"
