"""The consumer loop, its inbox and the queue in Postgres together."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from libs.common.broker.consumer import consume
from libs.common.broker.inbox import PostgresInbox
from libs.common.broker.port import Ack
from libs.common.broker.postgres import PostgresBroker, Wakeups, declare
from libs.common.clock import SystemClock
from libs.common.contracts.retraction import OutcomeCounts, RetractionFinished
from libs.common.database.pool import open_pool
from libs.common.errors import PermanentError, TransientError
from libs.common.tenants.current import CurrentConfiguration
from tests.common.deliveries import CANCEL, COMMANDS, CONFIGURATION, RECORD, TOPOLOGY, command
from tests.contracts.broker_rig import receive

FINISHED = RetractionFinished(
    tenant="acme",
    retraction_id=CANCEL.retraction_id,
    status="cancelled",
    counts=OutcomeCounts(),
    finished_at=datetime(2026, 1, 5, 9, 0, tzinfo=UTC),
)
QUICK = replace(TOPOLOGY, delay_steps_seconds=(0.05, 0.1))


@pytest.fixture
async def brokers(database):
    """Give the brokers of three publishers, as in one process."""
    await database.add_publisher("soar")
    await declare(database.superuser_dsn, QUICK)
    wakeups = Wakeups()
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(
                PostgresBroker.open(
                    database.dsn_for(name), topology=QUICK, clock=SystemClock(), wakeups=wakeups
                )
            )
            for name in ("soar", "retractor", "audit")
        }


async def test_commands_are_handled_retried_and_given_up(database, brokers):
    attempts = []
    failures = {"flaky": [TransientError("later")], "bad": [PermanentError("refused")]}

    async def handle(contract, publish):
        attempts.append(publish.cause.message_id)
        if failures.get(publish.cause.message_id):
            raise failures[publish.cause.message_id].pop()
        await publish(FINISHED)

    pool = await open_pool(database.dsn_for("retractor"), schema="retractor")
    running = consume(
        brokers["retractor"],
        COMMANDS,
        {CANCEL.type: handle},
        inbox=await PostgresInbox.open(pool),
        configuration=CurrentConfiguration(CONFIGURATION),
        topology=QUICK,
        clock=SystemClock(),
        service="retractor",
    )
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        consumer = tasks.create_task(running)
        await brokers["soar"].publish([command(name) for name in ("good", "flaky", "bad")])
        async with brokers["audit"].subscribe(RECORD, prefetch=10) as record:
            seen = await receive(record, 6)
            await record.settle([(delivery, Ack()) for delivery in seen])
        consumer.cancel()
    await pool.close()

    assert sorted(attempts) == ["bad", "flaky", "flaky", "good"]
    said = [each for each in seen if each.publisher == "retractor"]
    assert sorted((each.message.type, each.message.causation_id) for each in said) == [
        ("delivery.dead_lettered.v1", "bad"),
        (FINISHED.type, "flaky"),
        (FINISHED.type, "good"),
    ]
    [letter] = await brokers["retractor"].dead_letters.waiting()
    assert (letter.delivery.message.message_id, letter.reason) == ("bad", "refused")
