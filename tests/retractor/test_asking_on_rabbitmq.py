"""People's commands on RabbitMQ: published as their own user, followed in the database."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from libs.common.broker.opening import BrokerAddress, declare_topology, open_broker
from libs.common.broker.topology import RETRACTOR_COMMANDS
from libs.common.clock import SystemClock

ASKING = (
    *("retract", "--tenant", "acme", "--message-id", "<1@evil.example>"),
    *("--destination", "junk", "--reason", "phish", "--json"),
)


@pytest.fixture
async def rabbit(vhost):
    await vhost.add_publisher("soar")
    await declare_topology(BrokerAddress(amqp_url=vhost.url_for("cli")))
    return vhost


async def undeliver(*words, **environment):
    """Run a person's command; return its exit code, its output and what it says beside."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("CLI_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services",
        "retractor",
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=own | environment,
        cwd=Path(__file__).parents[2],
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_a_command_is_published_as_the_user_of_its_address(rabbit):
    code, out, err = await undeliver(*ASKING, CLI_AMQP_URL=rabbit.url_for("soar"))

    assert (code, err) == (0, "")
    address = BrokerAddress(amqp_url=rabbit.url_for("retractor"))
    async with (
        open_broker(address, clock=SystemClock()) as broker,
        broker.subscribe(RETRACTOR_COMMANDS, prefetch=1) as subscription,
        asyncio.timeout(20),
    ):
        [delivery] = await subscription.receive(1)
    assert delivery.publisher == "soar"
    assert json.loads(delivery.message.body)["retraction_id"] == json.loads(out)["retraction_id"]


async def test_waiting_without_a_database_is_refused_before_anything_is_published(rabbit):
    code, out, err = await undeliver(*ASKING, "--wait", CLI_AMQP_URL=rabbit.url_for("soar"))

    assert (code, out) == (2, "")
    assert err.startswith("CLI_POSTGRES_DSN: is not set")
    queues = await rabbit.queues()
    assert queues[RETRACTOR_COMMANDS].messages == 0
