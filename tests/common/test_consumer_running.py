"""The loop around handlers: how it runs, ends, and outlives what breaks."""

import asyncio

import pytest
from prometheus_client import REGISTRY
from structlog.contextvars import get_contextvars
from structlog.testing import capture_logs

from libs.common.broker import handling
from libs.common.errors import PermanentError, TransientError
from tests.common.deliveries import COMMANDS, Retractor, command, failing
from tests.fakes.broker import MemorySubscription

DEAD = "delivery.dead_lettered.v1"
DAY_SECONDS = 86_400


@pytest.fixture
def retractor(clock):
    return Retractor(clock)


class Gate:
    """A handler that waits until it is opened."""

    def __init__(self):
        self.entered = 0
        self.contexts = []
        self.opened = asyncio.Event()

    async def __call__(self, contract, publish):
        self.entered += 1
        self.contexts.append(get_contextvars())
        await self.opened.wait()


async def until(is_true):
    """Wait for what happens in real time."""
    async with asyncio.timeout(5):
        while not is_true():  # noqa: ASYNC110  # there is no event to wait for
            await asyncio.sleep(0.01)


def count(name, **labels):
    return REGISTRY.get_sample_value(name, {"queue": COMMANDS, **labels})


async def test_messages_are_handled_side_by_side_up_to_the_limit(retractor):
    gate = Gate()
    async with retractor.runs(gate, concurrency=3):
        await retractor.takes(*(command(f"m{number}") for number in range(5)))
        assert gate.entered == 3

        gate.opened.set()
        await retractor.passes(0)
        assert gate.entered == 5

    assert retractor.left() == []


async def test_log_lines_of_a_handler_name_its_message(retractor):
    gate = Gate()
    gate.opened.set()
    async with retractor.runs(gate):
        await retractor.takes(command("m1"), command("m2"))

    assert gate.contexts == [
        {"message_id": "m1", "attempt": 1},
        {"message_id": "m2", "attempt": 1},
    ]


async def test_the_end_hands_back_what_is_unfinished_and_settles_what_is_done(retractor):
    gate = Gate()

    async def handle(contract, publish):
        if publish.cause.message_id == "unfinished":
            await gate(contract, publish)

    async with retractor.runs(handle):
        await retractor.takes(command("done"), command("unfinished"))
        assert retractor.left() == ["unfinished"]

    handled, calls = failing()
    async with retractor.runs(handled):
        await retractor.passes(0)
    assert len(calls) == 1
    assert retractor.left() == []


async def test_the_end_interrupts_no_settlement_of_what_is_done(retractor, monkeypatch):
    settle = MemorySubscription.settle
    interrupted = []

    async def hang_at_first(self, settlements):
        if not interrupted:
            interrupted.append(settlements)
            await asyncio.Event().wait()
        await settle(self, settlements)

    monkeypatch.setattr(MemorySubscription, "settle", hang_at_first)
    handle, calls = failing()
    async with retractor.runs(handle):
        await retractor.takes(command("m1"))
        assert interrupted
        await retractor.takes(command("m2"))

    assert len(calls) == 2
    assert retractor.left() == []


async def test_a_lost_connection_is_waited_out_and_logged_once(retractor):
    handle, calls = failing()
    with capture_logs() as logs:
        async with retractor.runs(handle):
            retractor.broker.failures = 3
            retractor.exchange.ring()
            await retractor.takes(command("m1"))
            await retractor.passes(10)

    assert len(calls) == 1
    assert retractor.left() == []
    assert [line["event"] for line in logs] == ["receiving_failed", "receiving_resumed"]


async def test_a_settlement_that_is_lost_leads_to_another_delivery(retractor, monkeypatch):
    settle = MemorySubscription.settle
    lost = []

    async def lose_the_first(self, settlements):
        if settlements and not lost:
            lost.extend(settlements)
            raise TransientError("broker_unreachable")
        return await settle(self, settlements)

    monkeypatch.setattr(MemorySubscription, "settle", lose_the_first)
    handle, calls = failing()
    async with retractor.runs(handle):
        await retractor.takes(command("m1"))
    async with retractor.runs(handle):
        await retractor.passes(0)

    assert len(calls) == 2
    assert retractor.left() == []


async def test_a_crash_before_the_settlement_announces_the_same_letter_again(
    retractor, monkeypatch
):
    async def lose(self, settlements):
        raise TransientError("broker_unreachable")

    handle, _ = failing(PermanentError("refused"), PermanentError("refused"))
    with monkeypatch.context() as patched:
        patched.setattr(MemorySubscription, "settle", lose)
        async with retractor.runs(handle):
            await retractor.takes(command("m1"))
    await retractor.passes(60)
    async with retractor.runs(handle):
        await retractor.passes(0)

    first, second = retractor.published(DEAD)
    assert (first.message_id, first.body) == (second.message_id, second.body)
    assert retractor.letters() == [("m1", "refused")]


async def test_a_letter_is_announced_before_it_is_settled_however_long_that_takes(retractor):
    handle, _ = failing(PermanentError("refused"))
    async with retractor.runs(handle):
        await retractor.soar.publish([command("m1")])
        retractor.exchange.confirms.clear()
        retractor.broker.publish_timeout_seconds = 0.01
        with capture_logs() as logs:
            await until(lambda: "announcement_delayed" in [line["event"] for line in logs])
        assert retractor.letters() == []

        retractor.exchange.confirms.set()
        await retractor.passes(5)

        assert retractor.letters() == [("m1", "refused")]
        assert len(retractor.published(DEAD)) == 1


async def test_a_handler_that_hangs_is_given_up_in_time(retractor, monkeypatch):
    monkeypatch.setattr(handling, "HANDLER_TIMEOUT_SECONDS", 0.01)
    gate = Gate()
    with capture_logs() as logs:
        async with retractor.runs(gate):
            await retractor.takes(command("m1"))
            await until(lambda: logs)

    [line] = logs
    assert (line["event"], line["reason"]) == ("delivery_failed", "handler_timeout")


async def test_every_outcome_is_counted_from_zero(retractor):
    handle, _ = failing(None, PermanentError("refused"), TransientError("later"))
    async with retractor.runs(handle, concurrency=1):
        await retractor.passes(0)
        before = {
            settlement: count("undeliver_deliveries_total", settlement=settlement)
            for settlement in ("ack", "retry", "dead_letter", "hand_back")
        }
        assert None not in before.values()
        assert count("undeliver_dead_letters_total", cause="conflicting") is not None
        dead_before = count("undeliver_dead_letters_total", cause="permanent")
        timed_before = count("undeliver_delivery_handling_duration_seconds_count")

        await retractor.takes(*(command(f"m{number}") for number in range(3)))

    for settlement in ("ack", "retry", "dead_letter"):
        now = count("undeliver_deliveries_total", settlement=settlement)
        assert now == before[settlement] + 1
    assert count("undeliver_dead_letters_total", cause="permanent") == dead_before + 1
    assert count("undeliver_delivery_handling_duration_seconds_count") == timed_before + 3


async def test_the_inbox_forgets_after_thirty_days(retractor):
    async with retractor.runs(failing()[0]):
        await retractor.takes(command("m1"))
        await retractor.passes(29 * DAY_SECONDS)
        assert not await retractor.inbox.admit("soar", "m1", b"another body")
        await retractor.passes(2 * DAY_SECONDS)
        assert await retractor.inbox.admit("soar", "m1", b"another body")
