"""The loop around handlers: what becomes of a delivery."""

import asyncio
import json

import pytest
from structlog.testing import capture_logs

from libs.common.contracts.retraction import Outcome, OutcomeCounts, RetractionFinished
from libs.common.errors import PermanentError, PoisonError, TransientError
from tests.common.deliveries import CANCEL, COMMANDS, Retractor, command, failing

DEAD = "delivery.dead_lettered.v1"


@pytest.fixture
def retractor(clock):
    return Retractor(clock)


async def finish(contract, publish):
    """Handle a command by announcing its outcome."""
    await publish(
        RetractionFinished(
            tenant=contract.tenant,
            retraction_id=contract.retraction_id,
            status="cancelled",
            counts=OutcomeCounts(**{Outcome.UNTOUCHED: 1}),
            finished_at="2026-01-05T09:00:00Z",
        )
    )


async def test_a_handled_message_is_settled_and_what_follows_is_published(retractor):
    async with retractor.runs(finish):
        await retractor.takes(command("m1"))

        assert retractor.left() == []
        [event] = retractor.published("retraction.finished.v1")
        assert (event.causation_id, event.correlation_id, event.tenant) == ("m1", "c1", "acme")
        assert event.app_id == "retractor"


async def test_a_redelivered_message_leads_to_the_same_ids(retractor):
    async with retractor.runs(finish):
        await retractor.takes(command("m1"))
        await retractor.takes(command("m1"))

        first, second = retractor.published("retraction.finished.v1")
        assert (first.message_id, first.body) == (second.message_id, second.body)


async def test_a_transient_failure_is_tried_again_step_by_step_and_then_given_up(retractor):
    gone = [TransientError("graph_unreachable") for _ in range(4)]
    handle, calls = failing(*gone)
    async with retractor.runs(handle):
        await retractor.takes(command("m1"))
        for step_seconds, attempts in ((5, 2), (30, 3), (300, 4)):
            await retractor.passes(step_seconds - 1)
            assert len(calls) == attempts - 1
            await retractor.passes(1)
            assert len(calls) == attempts

    assert retractor.letters() == [("m1", "graph_unreachable")]
    [announced] = retractor.published(DEAD)
    assert json.loads(announced.body) == {
        "tenant": "acme",
        "queue": COMMANDS,
        "dead_type": "retraction.cancel.v1",
        "dead_message_id": "m1",
        "publisher": "soar",
        "reason": "graph_unreachable",
        "attempt": 4,
    }


@pytest.mark.parametrize(
    ("asked_seconds", "waits_seconds"), [(2, 5), (6, 30), (31, 300), (999, 300)]
)
async def test_whoever_asks_for_a_pause_gets_the_next_step_up(
    retractor, asked_seconds, waits_seconds
):
    handle, calls = failing(TransientError("throttled", retry_after_seconds=asked_seconds))
    async with retractor.runs(handle):
        await retractor.takes(command("m1"))

        await retractor.passes(waits_seconds - 1)
        assert len(calls) == 1
        await retractor.passes(1)
        assert len(calls) == 2

    assert retractor.left() == []


@pytest.mark.parametrize("error", [PermanentError("no_permission"), PoisonError("no_permission")])
async def test_what_can_never_succeed_is_given_up_at_once(retractor, error):
    handle, calls = failing(error)
    async with retractor.runs(handle):
        await retractor.takes(command("m1"))

    assert len(calls) == 1
    assert retractor.letters() == [("m1", "no_permission")]
    [announced] = retractor.published(DEAD)
    assert announced.causation_id == "m1"


async def test_a_bug_is_tried_again_and_hurts_no_other_message(retractor):
    handle, calls = failing(KeyError("Subject: very private"), None)
    with capture_logs() as logs:
        async with retractor.runs(handle):
            await retractor.takes(command("m1"))
            await retractor.takes(command("m2"))
            assert retractor.left() == ["m1"]
            await retractor.passes(5)

    assert len(calls) == 3
    assert retractor.left() == []
    [failed] = [line for line in logs if line["event"] == "delivery_failed"]
    assert (failed["reason"], failed["log_level"]) == ("unexpected_error", "error")
    assert isinstance(failed.pop("exc_info"), KeyError)
    assert "private" not in str(failed)


async def test_a_handler_that_cancels_itself_is_a_bug_and_not_the_end(retractor):
    async def handle(contract, publish):
        calls.append(contract)
        if len(calls) == 1:
            raise asyncio.CancelledError

    calls = []
    async with retractor.runs(handle):
        await retractor.takes(command("m1"))
        await retractor.passes(5)

    assert len(calls) == 2
    assert retractor.left() == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"body": b"not JSON"}, "not_json"),
        ({"body": b'{"tenant": "acme"}'}, "contract_violated"),
        ({"body": b"[" * 100_000}, "not_json"),
        ({"body": b"\xff"}, "not_json"),
        ({"type": "mail.retract.v1"}, "unknown_type"),
        ({"tenant": "acme", "body": CANCEL.body().replace(b"acme", b"globex")}, "tenant_mismatch"),
        ({"body": CANCEL.body().replace(b'"acme"', b"null")}, "contract_violated"),
        ({"message_id": ""}, "bad_message_id"),
        ({"message_id": "x" * 256}, "bad_message_id"),
        ({"message_id": "m\0"}, "bad_message_id"),
    ],
)
async def test_what_is_not_understood_is_kept_and_never_handled(retractor, changes, reason):
    handle, calls = failing()
    message = command(**{"message_id": "m1", **changes})
    retractor.route(message.type)
    async with retractor.runs(handle):
        await retractor.takes(message)

    assert not calls
    assert retractor.letters() == [(message.message_id, reason)]
    [announced] = retractor.published(DEAD)
    assert announced.tenant is None  # it proves nothing about a tenant


async def test_what_a_publisher_may_not_say_is_kept_and_never_handled(retractor):
    handle, calls = failing()
    async with retractor.runs(handle):
        await retractor.takes(command("m1"), publisher=retractor.connect("classifier"))
        await retractor.takes(command("m2", tenant="globex"))

    assert not calls
    assert retractor.letters() == [("m1", "not_authorised"), ("m2", "not_authorised")]
    assert [json.loads(event.body)["publisher"] for event in retractor.published(DEAD)] == [
        "classifier",
        "soar",
    ]


async def test_the_same_id_with_another_body_is_kept_and_never_handled(retractor):
    handle, calls = failing()
    other = CANCEL.model_copy(update={"reason": "another"})
    async with retractor.runs(handle):
        await retractor.takes(command("m1"))
        await retractor.takes(command("m1", body=other.body()))

    assert len(calls) == 1
    assert retractor.letters() == [("m1", "conflicting")]


async def test_the_same_id_of_another_publisher_is_another_message(retractor):
    handle, calls = failing()
    other = CANCEL.model_copy(update={"reason": "another"})
    async with retractor.runs(handle):
        await retractor.takes(command("m1"))
        await retractor.takes(
            command("m1", body=other.body()), publisher=retractor.connect("console")
        )

    assert len(calls) == 2
    assert retractor.letters() == []


async def test_a_letter_about_a_letter_is_not_written(retractor):
    handle, _ = failing(PermanentError("refused"), PermanentError("refused"))
    retractor.route(DEAD)
    async with retractor.runs(finish, handlers={DEAD: handle, CANCEL.type: handle}):
        await retractor.takes(command("m1"))  # dead, and its announcement comes here as well
        await retractor.passes(0)

    assert len(retractor.letters()) == 2

    assert len(retractor.published(DEAD)) == 1
