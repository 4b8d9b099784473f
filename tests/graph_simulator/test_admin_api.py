"""The admin API over HTTP, as another process uses it."""

import base64
from datetime import datetime

import httpx
import pytest

from libs.graph_simulator.server import Simulator
from tests.graph_simulator.client import Graph, ask_for_token
from tests.graph_simulator.samples import ALICE, APP, BOB, CAROL, EVE, PHISH, SECRET, TENANT, mail


@pytest.fixture
def sim(http: httpx.AsyncClient, simulator: Simulator):
    async def call(method: str, path: str, body: object | None = None) -> httpx.Response:
        return await http.request(method, f"{simulator.graph_url}/__sim/{path}", json=body)

    return call


@pytest.fixture
async def delivered(sim) -> dict:
    body = {"mime": mail().decode(), "sender": EVE, "recipients": [ALICE, BOB]}
    answer = await sim("POST", "deliver", body)
    assert answer.status_code == 201, answer.text
    report: dict = answer.json()
    return report


async def test_mail_is_delivered_as_text_or_base64(sim, delivered: dict, graph: Graph):
    raw = base64.b64encode(mail(message_id="<b64@x>")).decode()
    second = await sim("POST", "deliver", {"mime_base64": raw, "sender": EVE, "recipients": [BOB]})

    assert delivered["internet_message_id"] == PHISH
    assert [one["mailbox"] for one in delivered["copies"]] == [ALICE, BOB]
    assert datetime.fromisoformat(delivered["delivered_at"]).tzinfo is not None
    assert second.json()["number"] == 2
    assert (await graph.find(BOB, "<b64@x>"))[0]["id"] == second.json()["copies"][0]["immutable_id"]


async def test_the_state_tells_when_and_whereto_a_copy_went(sim, delivered: dict, graph: Graph):
    name = delivered["copies"][1]["immutable_id"]
    body = {"destinationId": "recoverableitemsdeletions"}
    await graph.call("POST", f"users/{BOB}/messages/{name}/move", json=body)

    everything = (await sim("GET", "state")).json()["copies"]
    query = httpx.QueryParams({"internet_message_id": PHISH, "mailbox": BOB, "tenant": TENANT})
    (copy,) = (await sim("GET", f"state?{query}")).json()["copies"]

    assert [one["folder"] for one in everything] == ["inbox", "recoverableitemsdeletions"]
    assert copy["immutable_id"] == name
    assert copy["is_read"] is False
    moved, arrived = (datetime.fromisoformat(copy[key]) for key in ("moved_at", "delivered_at"))
    assert 0 <= (moved - arrived).total_seconds() < 60
    assert copy["history"][0]["folder_before"] == "inbox"


async def test_answers_forwards_and_deeds(sim, delivered: dict):
    reply = {"author": ALICE, "internet_message_id": PHISH, "to": [BOB], "text": "?"}
    forward = {"author": BOB, "internet_message_id": PHISH, "to": [CAROL]}
    act = {"mailbox": BOB, "deed": "read", "internet_message_id": PHISH}

    replied = await sim("POST", "reply", reply)
    forwarded = await sim("POST", "forward", forward)
    acted = await sim("POST", "act", act)

    assert (replied.status_code, forwarded.status_code, acted.status_code) == (201, 201, 200)
    assert replied.json()["copies"][0]["conversation_depth"] == 1
    assert forwarded.json()["copies"][0]["mailbox"] == CAROL
    assert acted.json()["copies"][0]["is_read"] is True


async def test_deliveries_are_followed_from_a_number_on(sim, delivered: dict):
    await sim("POST", "forward", {"author": BOB, "internet_message_id": PHISH, "to": [CAROL]})

    (second,) = (await sim("GET", "deliveries?after=1")).json()["deliveries"]

    assert (second["number"], second["mail_from"], second["rcpt_to"]) == (2, BOB, [CAROL])
    assert b"FW: Your invoice" in base64.b64decode(second["mime_base64"])


async def test_tenants_applications_and_mailboxes_are_added(
    sim, http: httpx.AsyncClient, simulator: Simulator
):
    tenant = "44444444-0000-4000-8000-000000000004"
    app = {"client_id": "new", "client_secret": SECRET}
    mailbox = {"address": "zoe@new.example", "kind": "shared"}

    answers = [
        await sim("POST", "tenants", {"id": tenant, "domains": ["new.example"]}),
        await sim("POST", f"tenants/{tenant}/apps", app),
        await sim("POST", f"tenants/{tenant}/mailboxes", mailbox),
        await ask_for_token(http, simulator.authority_url, tenant, client_id="new"),
    ]

    assert [one.status_code for one in answers] == [201, 201, 201, 200]


async def test_behaviour_is_changed_and_looked_at(sim, delivered: dict, graph: Graph):
    rule = {"match": {"operation": "list_messages"}, "effect": {"status": 503}, "times": None}
    number = (await sim("POST", "rules", rule)).json()["id"]
    failed = await graph.get(f"users/{BOB}/messages")
    listed = (await sim("GET", "rules")).json()["rules"]
    await sim("DELETE", f"rules/{number}")
    await sim("POST", "throttling", {"mailbox_requests": 1000})
    await sim("POST", "latency", {"median_ms": 1})
    await sim("POST", "mailboxes/kind", {"mailbox": ALICE, "kind": "on_premises"})

    worked = await graph.get(f"users/{BOB}/messages")
    gone = await graph.get(f"users/{ALICE}/messages")
    statistics = (await sim("GET", "stats")).json()
    await sim("POST", "stats/reset")

    assert (failed.status_code, worked.status_code, gone.status_code) == (503, 200, 404)
    assert listed[0]["struck"] == 1
    assert statistics["calls"] == {"list_messages": 3}
    assert statistics["answers"] == {
        "list_messages 200": 1,
        "list_messages 404": 1,
        "list_messages 503": 1,
    }
    assert statistics["calls_by_mailbox"][BOB] == {"list_messages": 2}
    assert (await sim("GET", "stats")).json()["calls"] == {}


async def test_consent_and_tokens_are_withdrawn(
    sim, graph: Graph, http: httpx.AsyncClient, simulator: Simulator
):
    await sim("POST", "tokens/revoke", {"tenant": TENANT, "client_id": APP})
    await sim("POST", "consent", {"tenant": TENANT, "client_id": APP, "is_consented": False})

    assert (await graph.get("users")).status_code == 401
    assert (await ask_for_token(http, simulator.authority_url)).status_code == 400


async def test_a_reset_empties_the_mailboxes(sim, delivered: dict):
    await sim("POST", "reset")

    assert (await sim("GET", "state")).json() == {"copies": []}
    assert (await sim("GET", "receipts")).json() == {"receipts": []}


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("POST", "deliver", {"recipients": []}, "exactly one of mime"),
        ("POST", "deliver", {"mime_base64": "?", "recipients": []}, "not base64"),
        ("POST", "deliver", ["x"], "body"),
        ("POST", "reply", {"author": ALICE, "internet_message_id": "<none@x>"}, "has no copy"),
        ("POST", "act", {"mailbox": "nobody@x.example", "deed": "read"}, "no mailbox"),
        ("POST", "act", {"mailbox": BOB, "deed": "burn"}, "deed"),
        ("POST", "rules", {"effect": {"status": 1}}, "effect.status"),
        ("POST", "tenants", {"id": TENANT, "domains": ["x.example"]}, "exists"),
        ("POST", "tenants/none/mailboxes", {"address": "a@b.example"}, "no tenant"),
        ("POST", f"tenants/{TENANT}/mailboxes", {"address": BOB}, "taken"),
        (
            "POST",
            "consent",
            {"tenant": TENANT, "client_id": "x", "is_consented": True},
            "application",
        ),
        ("GET", "deliveries?after=x", None, "number"),
        ("DELETE", "rules/x", None, "number"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_a_sentence(
    sim, method: str, path: str, body: object, words: str
):
    answer = await sim(method, path, body)

    assert answer.status_code == 400
    assert words in answer.json()["error"]
