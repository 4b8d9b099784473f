"""The recorder between a queue and a log: batches, outages, and messages that cannot be stored."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from libs.common.broker.port import Ack, DeadLetter, Retry
from libs.common.errors import TransientError
from services.audit.workers.recorder import BATCH, LINGER_SECONDS, Recorder
from tests.audit.messages import RULES, copy_settled, delivery, entry, retract
from tests.audit.queues import ScriptedQueue
from tests.fakes.audit_log import MemoryAuditLog, unreachable


@pytest.fixture
def log():
    return MemoryAuditLog()


@pytest.fixture
def queue():
    return ScriptedQueue()


@asynccontextmanager
async def running(queue, log, clock):
    async with asyncio.TaskGroup() as group:
        task = group.create_task(Recorder(queue, log, lambda: RULES, clock).run())
        yield
        task.cancel()


def count(name, **labels):
    return REGISTRY.get_sample_value(f"undeliver_audit_{name}", labels) or 0.0


async def test_a_batch_waits_a_moment_for_more(queue, log, clock):
    async with running(queue, log, clock):
        await queue.hand_out(delivery(retract()))
        await clock.advance(LINGER_SECONDS / 2)
        await queue.hand_out(delivery(retract()))
        assert log.batches == []

        await clock.advance(LINGER_SECONDS / 2)

        await queue.all_settled(2)
    assert log.batches == [2]


async def test_a_full_batch_does_not_wait(queue, log, clock):
    async with running(queue, log, clock):
        await queue.hand_out(*(delivery(copy_settled()) for _ in range(BATCH)))

        await queue.all_settled(BATCH)
    assert log.batches == [BATCH]


async def test_a_batch_of_large_bodies_is_cut_by_its_size(queue, log, clock):
    large = [delivery(retract(), body=b"x" * 7 * 1024 * 1024) for _ in range(4)]
    async with running(queue, log, clock):
        await queue.hand_out(*large)
        await clock.advance(LINGER_SECONDS)
        await clock.advance(LINGER_SECONDS)

        await queue.all_settled(4)
    assert log.batches == [3, 1]


async def test_nothing_is_settled_while_the_database_is_gone(queue, log, clock):
    log.failures = [unreachable() for _ in range(3)]
    async with running(queue, log, clock):
        await queue.hand_out(delivery(retract()))
        await clock.advance(1.0)
        assert queue.settled == {}

        await clock.advance(60.0)

        await queue.all_settled(1)
    assert log.batches == [1]


async def test_a_message_that_cannot_be_stored_does_not_stop_the_others(queue, log, clock):
    messages = [delivery(copy_settled()) for _ in range(BATCH)]
    log.poison = {messages[77].message.message_id}
    with capture_logs() as logs:
        async with running(queue, log, clock):
            await queue.hand_out(*messages)
            await queue.all_settled(BATCH)

    assert [each.type for each in queue.published] == ["delivery.dead_lettered.v1"]
    assert queue.settled.pop(messages[77].message.message_id) == DeadLetter("record_refused")
    assert set(queue.settled.values()) == {Ack()}
    assert len(log.links) == BATCH - 1
    assert [each["message_id"] for each in logs if each["event"] == "message_not_recorded"] == [
        messages[77].message.message_id
    ]


@pytest.mark.parametrize(
    ("attempt", "settlement"),
    [
        (1, Retry("unexpected_error", 5.0)),
        (3, Retry("unexpected_error", 300.0)),
        (5, DeadLetter("unexpected_error")),
    ],
)
async def test_a_bug_of_ours_is_retried_until_spent(queue, log, clock, attempt, settlement):
    log.failures = [KeyError("bug")]
    async with running(queue, log, clock):
        await queue.hand_out(replace(delivery(retract(), message_id="m"), attempt=attempt))
        await clock.advance(LINGER_SECONDS)

        await queue.all_settled(1)
    assert queue.settled == {"m": settlement}


async def test_what_could_not_be_settled_is_recognised_when_it_comes_again(queue, log, clock):
    queue.settle_failures = [TransientError("broker_unreachable")]
    async with running(queue, log, clock):
        await queue.hand_out(delivery(retract()))
        await clock.advance(LINGER_SECONDS)
        await clock.advance(LINGER_SECONDS)

        await queue.all_settled(1)
    assert len(log.links) == 1


async def test_a_broker_that_is_gone_is_asked_again(queue, log, clock):
    queue.subscribe_failures = [TransientError("broker_unreachable")]
    queue.receive_failures = [TransientError("broker_unreachable") for _ in range(3)]
    async with running(queue, log, clock):
        await queue.hand_out(delivery(retract()))
        await clock.advance(30.0)

        await queue.all_settled(1)


async def test_what_its_publisher_may_not_say_is_recorded_and_marked(queue, log, clock):
    before = count("records_total", flag="not_authorised")
    async with running(queue, log, clock):
        await queue.hand_out(delivery(retract(), publisher="stranger"))
        await clock.advance(LINGER_SECONDS)

        await queue.all_settled(1)
    ((recorded, _),) = log.links
    assert recorded.properties.flags == ("not_authorised",)
    assert recorded.properties.refusal == "type_not_allowed"
    assert recorded.facts.section == "retract"
    assert count("records_total", flag="not_authorised") == before + 1


async def test_a_conflict_raises_the_alarms_metric(queue, log, clock):
    before = count("records_total", flag="conflicting")
    async with running(queue, log, clock):
        await queue.hand_out(
            delivery(retract(), message_id="same"),
            delivery(retract(destination="junk"), message_id="same"),
        )
        await clock.advance(LINGER_SECONDS)
        await queue.all_settled(1)

    assert count("records_total", flag="conflicting") == before + 1


@pytest.mark.parametrize(
    ("changes", "chain", "flags"),
    [
        ({}, "acme", ()),
        ({"body": b"{}"}, "acme", ("contract_violated",)),
        ({"type": "no.such.v1"}, "acme", ("unknown_type",)),
        ({"tenant": "globex"}, "-", ("tenant_mismatch",)),
        ({"tenant": None}, "-", ("tenant_mismatch",)),
        ({"tenant": "nobody", "type": "no.such.v1"}, "-", ("unknown_tenant", "unknown_type")),
        ({"app_id": "\0"}, "acme", ("repaired",)),
    ],
)
def test_each_message_has_its_chain_and_its_marks(changes, chain, flags):
    taken = entry(delivery(retract(), **changes))

    assert (taken.chain, taken.properties.flags) == (chain, flags)
