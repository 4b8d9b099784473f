"""The service on RabbitMQ: whatever the broker lacks, clients keep their mail."""

import asyncio
import json
from collections import defaultdict

import aio_pika
import pytest
import pytest_asyncio

from libs.common.broker.opening import BrokerAddress, declare_topology
from libs.common.broker.topology import AUDIT_EVENTS, CLASSIFIER_EVENTS, RETRACTOR_EVENTS
from tests.faults.link import Direction
from tests.faults.proxy import network_before
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


async def announced(vhost):
    """Return the bodies that wait for the audit, by the ids they came under."""
    bodies = defaultdict(list)
    async with await aio_pika.connect(vhost.admin_url) as connection:
        queue = await (await connection.channel()).get_queue(AUDIT_EVENTS)
        while (message := await queue.get(no_ack=True, fail=False)) is not None:
            bodies[message.message_id].append(message.body)
    return bodies


async def deliver_until_taken(client, raw):
    async with asyncio.timeout(20):
        while await client.deliver(raw, ACME) == LATER:  # noqa: ASYNC110 - as senders do
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("to", ["database", "broker"])
async def test_wherever_its_connection_is_cut_a_report_has_one_effect(
    site, vhost, database, to, direction
):
    amqp_url = vhost.url_for("ingest")
    with network_before(amqp_url if to == "broker" else database.dsn_for("ingest")) as way:
        if to == "broker":
            amqp_url = way.through(amqp_url)
        async with site.running(
            cable=Through(way) if to == "database" else None, amqp_url=amqp_url
        ) as door:
            for size in CUTS[direction]:
                raw = report(report_id=f"<{size}@journal.report.generator>")
                async with Client.connect(door.smtp_port) as client:
                    way.drop_after(size, direction)
                    await client.deliver(raw, ACME)
                    way.resume()
                    await deliver_until_taken(client, raw)

    bodies = await announced(vhost)
    assert len(bodies) == len(CUTS[direction])
    for same in bodies.values():
        assert len(set(same)) == 1
        assert (site.folder / json.loads(same[0])["raw"]["store_key"]).exists()


#: From the first byte of a message's way to beyond its last one.
CUTS = {
    Direction.TO_SERVER: range(1, 3000, 250),
    Direction.TO_CLIENT: (1, 10, 20, 30, 60, 120, 240, 480),
}


class Through:
    """See `Cable.dsn`."""

    def __init__(self, way):
        self.dsn = way.through


async def test_a_confirm_that_is_lost_leaves_one_id_and_its_mail(site, vhost):
    with network_before(vhost.url_for("ingest")) as way:
        async with (
            site.running(
                amqp_url=way.through(vhost.url_for("ingest")), publish_seconds=1.0
            ) as door,
            Client.connect(door.smtp_port) as client,
        ):
            assert (await client.deliver(report(report_id="<1@x.example>"), ACME)).startswith("250")
            await vhost.purge(AUDIT_EVENTS)
            way.swallow(Direction.TO_CLIENT)
            assert await client.deliver(report(), ACME) == LATER
            way.resume()
            await deliver_until_taken(client, report())

    (bodies,) = (await announced(vhost)).values()
    assert len(bodies) == 2
    assert len(set(bodies)) == 1
    assert (site.folder / json.loads(bodies[0])["raw"]["store_key"]).exists()
