from email.utils import parsedate_to_datetime

import httpx
import pytest
from pydantic import ValidationError

from libs.graph_simulator.graph.failures import Effect, Match, Rule
from libs.graph_simulator.server import Simulator
from tests.graph_simulator.client import Graph, error_of, step
from tests.graph_simulator.samples import ALICE, BOB, EVE, PHISH, mail

MESSAGES = f"users/{BOB}/messages"


@pytest.fixture
def path(simulator: Simulator) -> str:
    (copy,) = simulator.admin.deliver(mail(), EVE, [BOB]).copies
    return f"{MESSAGES}/{copy.immutable_id}"


async def move(graph: Graph, path: str) -> httpx.Response:
    return await graph.call("POST", f"{path}/move", json={"destinationId": "junkemail"})


def folder(simulator: Simulator) -> str:
    (copy,) = simulator.admin.copies(internet_message_id=PHISH)
    return copy.folder


async def test_a_failure_before_leaves_everything_as_it_was(
    graph: Graph, simulator: Simulator, path: str
):
    rule = Rule(match=Match(operation="move"), effect=Effect(status=503, retry_after="5"))
    simulator.admin.add_rule(rule)

    failed = await move(graph, path)

    assert (failed.status_code, failed.headers["retry-after"]) == (503, "5")
    assert folder(simulator) == "inbox"
    assert (await move(graph, path)).status_code == 201


@pytest.mark.parametrize("operation", ["move", "permanent_delete"])
async def test_a_failure_after_has_been_executed(
    graph: Graph, simulator: Simulator, path: str, operation: str
):
    effect = Effect(status=503, is_body_empty=True)
    simulator.admin.add_rule(Rule(match=Match(operation=operation), when="after", effect=effect))

    if operation == "move":
        failed = await move(graph, path)
    else:
        failed = await graph.call("POST", f"{path}/permanentDelete")

    assert (failed.status_code, failed.content) == (503, b"")
    assert failed.headers["content-type"].startswith("text/plain")
    assert folder(simulator) != "inbox"


async def test_a_rule_fits_by_method_path_mailbox_and_place(graph: Graph, simulator: Simulator):
    match = Match(method="get", path=r"messages\?.*top=7", mailbox=BOB.upper(), inner=False)
    simulator.admin.add_rule(Rule(match=match, effect=Effect(status=500), times=None))

    async def status(user: str, top: str) -> int:
        return (await graph.get(f"users/{user}/messages", {"$top": top})).status_code

    inner = await graph.batch(step(1, "GET", f"/{MESSAGES}?$top=7"))
    assert [await status(BOB, "7"), await status(BOB, "7")] == [500, 500]
    assert [await status(BOB, "8"), await status(ALICE, "7")] == [200, 200]
    assert inner.json()["responses"][0]["status"] == 200


async def test_the_nth_call_and_the_next_fail_and_then_no_more(graph: Graph, simulator: Simulator):
    number = simulator.admin.add_rule(Rule(nth=2, times=2, effect=Effect(status=504)))

    statuses = [(await graph.get(MESSAGES)).status_code for _ in range(5)]

    assert statuses == [200, 504, 504, 200, 200]
    (rule,) = simulator.admin.rules()
    assert (rule["id"], rule["struck"]) == (number, 2)


async def test_some_calls_fail_by_chance(graph: Graph, simulator: Simulator):
    simulator.admin.add_rule(Rule(probability=0.5, times=None, effect=Effect(status=502)))

    statuses = [(await graph.get(MESSAGES)).status_code for _ in range(40)]

    assert 8 < statuses.count(502) < 32


async def test_rules_are_taken_back(graph: Graph, simulator: Simulator):
    first = simulator.admin.add_rule(Rule(effect=Effect(status=500), times=None))
    simulator.admin.add_rule(Rule(effect=Effect(status=503), times=None))
    simulator.admin.remove_rules(first)
    second = (await graph.get(MESSAGES)).status_code
    simulator.admin.remove_rules()

    assert second == 503
    assert (await graph.get(MESSAGES)).status_code == 200


@pytest.mark.parametrize("value", ["1", "2.128", "0", ""])
async def test_retry_after_stands_as_it_was_given(graph: Graph, simulator: Simulator, value: str):
    simulator.admin.add_rule(Rule(effect=Effect(status=429, retry_after=value)))

    assert (await graph.get(MESSAGES)).headers["retry-after"] == value


async def test_retry_after_may_be_a_date_or_missing(graph: Graph, simulator: Simulator):
    simulator.admin.add_rule(Rule(effect=Effect(status=429, retry_after_date_seconds=60)))
    simulator.admin.add_rule(Rule(effect=Effect(status=429)))

    dated, bare = await graph.get(MESSAGES), await graph.get(MESSAGES)

    at = parsedate_to_datetime(dated.headers["retry-after"])
    now = parsedate_to_datetime(dated.headers["date"])
    assert 58 <= (at - now).total_seconds() <= 61
    assert "retry-after" not in bare.headers


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_connection_is_reset(graph: Graph, simulator: Simulator, path: str, when: str):
    rule = Rule(match=Match(operation="move"), when=when, effect=Effect(connection="reset"))  # type: ignore[arg-type]
    simulator.admin.add_rule(rule)

    with pytest.raises(httpx.TransportError):
        await move(graph, path)

    assert folder(simulator) == ("inbox" if when == "before" else "junkemail")
    assert (await move(graph, path)).status_code == 201


async def test_a_reset_inside_a_batch_takes_the_answer_but_not_the_other_steps(
    graph: Graph, simulator: Simulator, path: str
):
    effect = Effect(connection="reset")
    simulator.admin.add_rule(Rule(match=Match(mailbox=ALICE, inner=True), effect=effect))
    headers = {"Content-Type": "application/json"}
    body = {"destinationId": "junkemail"}

    with pytest.raises(httpx.TransportError):
        await graph.batch(
            step(1, "GET", f"/users/{ALICE}/messages"),
            step(2, "POST", f"/{path}/move", headers=headers, body=body),
        )

    assert folder(simulator) == "junkemail"


async def test_a_body_is_cut_in_half(graph: Graph, simulator: Simulator):
    simulator.admin.add_rule(Rule(when="after", effect=Effect(truncate=True)))

    answer = await graph.get(MESSAGES)

    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r"Unterminated|Expecting|delimiter"):
        answer.json()


async def test_a_next_link_leads_to_another_host(graph: Graph, simulator: Simulator):
    effect = Effect(next_link="https://evil.example/v1.0/users")
    simulator.admin.add_rule(Rule(when="after", effect=effect))

    assert (await graph.get("users")).json()["@odata.nextLink"].startswith("https://evil.example/")


async def test_a_token_is_refused_in_the_middle(graph: Graph, simulator: Simulator):
    effect = Effect(
        status=401,
        code="InvalidAuthenticationToken",
        message="Lifetime validation failed, the token is expired.",
        headers={"WWW-Authenticate": "Bearer"},
    )
    simulator.admin.add_rule(Rule(effect=effect))

    refused = await graph.get(MESSAGES)

    assert error_of(refused)[:2] == (401, "InvalidAuthenticationToken")
    assert refused.headers["www-authenticate"] == "Bearer"
    assert (await graph.get(MESSAGES)).status_code == 200


async def test_an_answer_may_not_come(graph: Graph, simulator: Simulator):
    simulator.admin.add_rule(Rule(effect=Effect(hang_seconds=0.4, connection="reset")))
    graph.http.timeout = httpx.Timeout(0.1)

    with pytest.raises(httpx.ReadTimeout):
        await graph.get(MESSAGES)


@pytest.mark.parametrize(
    "rule",
    [
        {"effect": {"status": 99}},
        {"match": {"path": "("}, "effect": {"status": 500}},
        {"effect": {"truncate": True}},
        {"effect": {"status": 500}, "nth": 0},
        {"effect": {"status": 500}, "unknown": 1},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(rule: dict):
    with pytest.raises(ValidationError):
        Rule.model_validate(rule)
