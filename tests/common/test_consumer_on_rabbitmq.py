"""The consumer loop, its inbox and RabbitMQ together."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from libs.common.broker.consumer import consume
from libs.common.broker.port import Ack
from libs.common.clock import SystemClock
from libs.common.errors import PermanentError, TransientError
from libs.common.tenants.current import CurrentConfiguration
from tests.common.deliveries import CANCEL, COMMANDS, CONFIGURATION, RECORD, TOPOLOGY, command
from tests.common.rabbits import Upstream, broker, declared
from tests.common.test_consumer_on_postgres import FINISHED
from tests.contracts.broker_rig import PATIENCE_SECONDS, receive
from tests.fakes.inbox import MemoryInbox

QUICK = replace(TOPOLOGY, delay_steps_seconds=(0.1, 0.2))


@pytest.fixture
async def brokers(vhost):
    """Give the brokers of three publishers."""
    await vhost.add_publisher("soar")
    await declared(vhost, QUICK)
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(broker(vhost, name, topology=QUICK))
            for name in ("soar", "retractor", "audit", "cli")
        }


def consuming(brokers, handle):
    clock = SystemClock()
    return consume(
        brokers["retractor"],
        COMMANDS,
        {CANCEL.type: handle},
        inbox=MemoryInbox(clock),
        configuration=CurrentConfiguration(CONFIGURATION),
        topology=QUICK,
        clock=clock,
        service="retractor",
    )


async def recorded(brokers, count):
    async with brokers["audit"].subscribe(RECORD, prefetch=20) as record:
        seen = await receive(record, count)
        await record.settle([(delivery, Ack()) for delivery in seen])
    return seen


async def buried(brokers, count):
    """Wait for so many dead letters: each is announced before it is one."""
    while True:
        letters = await brokers["cli"].dead_letters.waiting()
        if len(letters) >= count:
            return letters
        await asyncio.sleep(0.05)


async def test_commands_are_handled_retried_and_given_up(brokers):
    attempts = []
    failures = {"flaky": [TransientError("later")], "bad": [PermanentError("refused")]}

    async def handle(contract, publish):
        attempts.append(publish.cause.message_id)
        if failures.get(publish.cause.message_id):
            raise failures[publish.cause.message_id].pop()
        await publish(FINISHED)

    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
        consumer = tasks.create_task(consuming(brokers, handle))
        await brokers["soar"].publish([command(name) for name in ("good", "flaky", "bad")])
        seen = await recorded(brokers, 6)
        [letter] = await buried(brokers, 1)
        consumer.cancel()

    assert sorted(attempts) == ["bad", "flaky", "flaky", "good"]
    said = [each for each in seen if each.publisher == "retractor"]
    assert sorted((each.message.type, each.message.causation_id) for each in said) == [
        ("delivery.dead_lettered.v1", "bad"),
        (FINISHED.type, "flaky"),
        (FINISHED.type, "good"),
    ]
    assert (letter.delivery.message.message_id, letter.reason) == ("bad", "refused")
    assert letter.delivery.publisher == "soar"


async def test_what_is_under_way_at_a_shutdown_is_handled_by_the_next(brokers):
    begun = asyncio.Event()
    handled = []

    async def hang(contract, publish):
        begun.set()
        await asyncio.Event().wait()

    async def handle(contract, publish):
        handled.append(publish.cause.message_id)
        await publish(FINISHED)

    await brokers["soar"].publish([command(name) for name in ("m1", "m2", "m3")])
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
        former = tasks.create_task(consuming(brokers, hang))
        await begun.wait()
        former.cancel()
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
        present = tasks.create_task(consuming(brokers, handle))
        await recorded(brokers, 6)
        present.cancel()

    assert sorted(handled) == ["m1", "m2", "m3"]
    assert await brokers["cli"].dead_letters.waiting() == []


async def test_what_upstream_gets_wrong_ends_in_the_dead_letters_and_nothing_stops(vhost, brokers):
    """Each with its reason, announced; the good one after them is handled."""
    handled = []

    async def handle(contract, publish):
        handled.append(publish.cause.message_id)

    tenant = {"tenant": "acme"}
    proper = {"message_id": "m1", "message_type": CANCEL.type, "headers": tenant, "user_id": "soar"}
    wrong = {
        "not_authorised": {**proper, "user_id": None},
        "bad_message_id": {**proper, "message_id": None},
        "tenant_mismatch": {**proper, "user_id": "console", "headers": {"tenant": 5}},
    }
    await vhost.add_publisher("console")
    key = CANCEL.type
    async with (
        Upstream.open(vhost.url_for("soar")) as soar,
        Upstream.open(vhost.url_for("console")) as console,
        asyncio.timeout(PATIENCE_SECONDS),
        asyncio.TaskGroup() as tasks,
    ):
        consumer = tasks.create_task(consuming(brokers, handle))
        for properties in wrong.values():
            sender = console if properties["user_id"] == "console" else soar
            await sender.publish_raw({}, routing_key=key, body=CANCEL.body(), **properties)
        await soar.publish(b"{", routing_key=key, **{**proper, "message_id": "m2"})
        await brokers["soar"].publish([command("good")])
        await recorded(brokers, 9)
        letters = await buried(brokers, 4)
        consumer.cancel()

    assert sorted(letter.reason for letter in letters) == sorted([*wrong, "not_json"])
    assert handled == ["good"]
