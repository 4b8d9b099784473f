"""The service on RabbitMQ: whatever the broker lacks, clients keep their mail."""

import asyncio

import pytest_asyncio

from libs.common.broker.opening import BrokerAddress, declare_topology
from libs.common.broker.topology import AUDIT_EVENTS, CLASSIFIER_EVENTS, RETRACTOR_EVENTS
from tests.ingest.listening import ACME, Client
from tests.ingest.reports import report
from tests.ingest.site import Site

LATER = "451 4.3.0 Not accepted now, try again later"


@pytest_asyncio.fixture
async def declare(vhost):
    """Give what makes the queues, once they have been made."""

    async def make():
        await declare_topology(BrokerAddress(amqp_url=vhost.url_for("cli")))

    await make()
    return make


@pytest_asyncio.fixture
async def site(database, tmp_path, declare):
    return Site(database, tmp_path / "mail")


async def messages(vhost):
    found = await vhost.queues()
    return {name: found[name].messages for name in EVENTS}


EVENTS = (AUDIT_EVENTS, CLASSIFIER_EVENTS, RETRACTOR_EVENTS)


async def test_a_report_is_in_every_queue_before_its_client_hears_so(site, vhost):
    async with (
        site.running(amqp_url=vhost.url_for("ingest")) as door,
        Client.connect(door.smtp_port) as client,
    ):
        assert (await client.deliver(report(), ACME)).startswith("250")
        assert await messages(vhost) == dict.fromkeys(EVENTS, 1)
        assert (await client.deliver(report(), ACME)).startswith("250")

    assert await messages(vhost) == dict.fromkeys(EVENTS, 1)


async def test_while_one_queue_is_missing_clients_keep_their_mail(site, vhost, declare):
    await vhost.delete_queue(CLASSIFIER_EVENTS)
    async with (
        site.running(amqp_url=vhost.url_for("ingest")) as door,
        Client.connect(door.smtp_port) as client,
    ):
        assert await client.deliver(report(), ACME) == LATER
        await declare()
        assert (await client.deliver(report(), ACME)).startswith("250")

    assert await messages(vhost) == dict.fromkeys(EVENTS, 1)


async def test_when_the_broker_hangs_up_the_session_goes_on(site, vhost):
    async with (
        site.running(amqp_url=vhost.url_for("ingest")) as door,
        Client.connect(door.smtp_port) as client,
        asyncio.timeout(30),
    ):
        for number in range(5):
            await vhost.close_connections("ingest")
            raw = report(report_id=f"<{number}@journal.report.generator>")
            while not (answer := await client.deliver(raw, ACME)).startswith("250"):
                assert answer == LATER
                await asyncio.sleep(0.2)

    assert all(count >= 5 for count in (await messages(vhost)).values())


async def test_a_broker_that_is_out_of_memory_is_answered_for_in_time(site, vhost):
    async with (
        site.running(amqp_url=vhost.url_for("ingest"), publish_seconds=1.0) as door,
        Client.connect(door.smtp_port) as client,
    ):
        async with vhost.memory_alarm():
            async with asyncio.timeout(10):
                assert await client.deliver(report(), ACME) == LATER
        async with asyncio.timeout(20):
            while await client.deliver(report(), ACME) == LATER:  # noqa: ASYNC110
                await asyncio.sleep(0.2)

    assert all(count >= 1 for count in (await messages(vhost)).values())
