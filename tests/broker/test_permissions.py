"""What RabbitMQ lets whom do, once it has imported what `undeliver broker permissions` prints."""

import argparse
import asyncio
import json
from contextlib import asynccontextmanager
from pathlib import Path

import aio_pika
import pytest
from aio_pika.exceptions import ChannelPreconditionFailed, ProbableAuthenticationError
from aiormq.exceptions import ChannelAccessRefused

from libs.common.authority import Authority
from libs.common.broker.opening import declare_topology
from libs.common.broker.topology import (
    AUDIT_EVENTS,
    EXCHANGE,
    RETRACTOR_COMMANDS,
    UNDELIVER,
)
from libs.common.errors import PermanentError
from services.broker.cli import add_arguments, main
from tests.broker.sites import bury, command, connect
from tests.commands import undeliver
from tests.contracts.broker_rig import ids, take

CONFIGURATION = """\
service_domain: undeliver.example
publishers:
  - name: soar
    types: [mail.retract.v1]
    tenants: [acme]
tenants:
  - id: acme
    microsoft_tenant_id: 11111111-1111-4111-8111-111111111111
    domains: [acme.example]
    journal: {token: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}
    graph: {client_id: c, client_secret: env:NOT_NEEDED_HERE}
"""
OWN_QUEUES = {
    service: [queue.name for queue in UNDELIVER.queues if queue.service == service]
    for service in ("classifier", "retractor", "audit")
}
EVERYBODY = ("ingest", "classifier", "retractor", "audit", "soar")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "undeliver.yaml"
    path.write_text(CONFIGURATION)
    return path


@pytest.fixture
async def ruled(rabbit, config, capsys):
    """Give a broker that has imported the permissions, with our topology on it."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    words = ("permissions", "--vhost", rabbit.vhost.name, "--config", str(config))
    assert main(parser.parse_args(words)) == 0
    await rabbit.vhost.add_publisher("soar")
    management = rabbit.vhost.server.management
    await management.call("POST", "definitions", body=json.loads(capsys.readouterr().out))
    await declare_topology(rabbit.address("cli"))
    return rabbit


@asynccontextmanager
async def channel_of(site, user):
    async with await aio_pika.connect(site.vhost.url_for(user)) as connection:
        yield await connection.channel()


async def refused(step) -> bool:
    """Tell whether the broker refuses a step."""
    try:
        async with asyncio.timeout(10):
            await step
    except (ChannelAccessRefused, ChannelPreconditionFailed):
        return True
    return False


async def may_send(site, user, exchange, key, **properties) -> bool:
    """Tell whether a user may publish to an exchange by a key."""
    async with channel_of(site, user) as channel:
        target = channel.default_exchange
        if exchange:
            target = await channel.get_exchange(exchange, ensure=False)
        body = aio_pika.Message(b"{}", **properties)
        return not await refused(target.publish(body, key, mandatory=False))


async def test_an_upstream_publisher_sends_its_types_and_no_others(ruled):
    assert await may_send(ruled, "soar", EXCHANGE, "mail.retract.v1")
    for type_ in ("mail.classified.v1", "retraction.cancel.v1", "mail.retract.v10", "#", ""):
        assert not await may_send(ruled, "soar", EXCHANGE, type_), type_


async def test_a_service_cannot_give_orders_that_are_not_its_own_to_give(ruled):
    assert not await may_send(ruled, "ingest", EXCHANGE, "mail.retract.v1")
    assert not await may_send(ruled, "retractor", EXCHANGE, "mail.retract.v1")
    assert await may_send(ruled, "classifier", EXCHANGE, "mail.retract.v1")
    with pytest.raises(PermanentError, match="publish_refused"):
        async with connect(ruled, "ingest") as ingest:
            await ingest.publish([command("m1")])


async def test_what_reaches_a_queue_by_a_header_is_still_its_publishers(ruled):
    """RabbitMQ checks the routing key, and routes by CC and BCC unchecked; consumers check."""
    for header in ("CC", "BCC"):
        copied = {"headers": {header: ["retraction.cancel.v1"]}, "user_id": "ingest"}
        type_ = "mail.journaled.v1"
        forged = {"message_id": header, "type": "retraction.cancel.v1", **copied}
        await may_send(ruled, "ingest", EXCHANGE, type_, **forged)

    async with connect(ruled, "retractor") as retractor:
        arrived = await take(retractor, RETRACTOR_COMMANDS, 2)
    authority = Authority([])
    for each in arrived:
        assert (each.publisher, each.message.type) == ("ingest", "retraction.cancel.v1")
        refusal = authority.refusal(each.publisher, each.message.type, each.message.tenant)
        assert refusal == "type_not_allowed"


async def test_nobody_reaches_anothers_queue_past_the_exchange(ruled):
    for user in ("ingest", "classifier", "audit", "soar"):
        for exchange in ("", "undeliver.retractor", "undeliver.replay", "amq.topic"):
            assert not await may_send(ruled, user, exchange, RETRACTOR_COMMANDS), (user, exchange)


async def test_nobody_publishes_in_anothers_name(ruled):
    for user in (*EVERYBODY, "cli"):
        type_ = "delivery.replayed.v1" if user == "cli" else "mail.retract.v1"
        if user not in ("cli", "soar", "classifier"):
            type_ = "delivery.dead_lettered.v1"
        assert await may_send(ruled, user, EXCHANGE, type_, user_id=user)
        assert not await may_send(ruled, user, EXCHANGE, type_, user_id="console"), user


async def test_a_queue_is_read_by_its_service_alone(ruled):
    for user in EVERYBODY:
        for queue in UNDELIVER.queues:
            for name in (queue.name, f"{queue.name}.dead"):
                async with channel_of(ruled, user) as channel:
                    target = await channel.get_queue(name, ensure=False)
                    is_own = name in OWN_QUEUES.get(user, [])
                    assert await refused(target.get(fail=False)) is not is_own, (user, name)


async def test_nobody_but_the_operator_makes_binds_or_deletes_anything(ruled):
    for user in EVERYBODY:
        for deed in (
            lambda channel: channel.declare_queue("undeliver.mine", durable=True),
            lambda channel: channel.declare_queue("", exclusive=True),
            lambda channel: channel.declare_exchange("mine", durable=True),
            lambda channel: channel.queue_delete(AUDIT_EVENTS),
            lambda channel: channel.exchange_delete(EXCHANGE),
        ):
            async with channel_of(ruled, user) as channel:
                assert await refused(deed(channel)), user
        async with channel_of(ruled, user) as channel:
            own = await channel.get_queue(AUDIT_EVENTS, ensure=False)
            assert await refused(own.bind(EXCHANGE, "mail.retract.v1")), user


async def test_everything_that_services_and_operators_do_is_allowed(ruled, broker):
    async with (
        connect(ruled, "soar") as soar,
        connect(ruled, "retractor") as retractor,
        connect(ruled, "audit") as audit,
    ):
        assert not await soar.missing()
        await soar.publish([command("m1")])
        await bury(retractor, RETRACTOR_COMMANDS, {"m1": "spent"})
        replayed = await broker(ruled, "dead-letters", "replay", "--all", "--json")
        checked = await broker(ruled, "topology", "--check", "--json")

        assert [each["outcome"] for each in replayed.records] == ["replayed"]
        assert checked.code == 0
        [back] = await take(retractor, RETRACTOR_COMMANDS)
        assert (back.message.message_id, back.publisher) == ("m1", "soar")
        assert len(ids(await take(audit, AUDIT_EVENTS, 2))) == 2


async def test_a_broker_that_knows_nobody_imports_users_with_their_passwords(
    private_rabbitmq, config, tmp_path
):
    names = ["ingest", "classifier", "retractor", "audit", "cli", "soar"]
    for name in names:
        (tmp_path / name).write_text(f"{name} sesame\n")
    words = ("broker", "permissions", "--vhost", "production", "--passwords", str(tmp_path))
    printed = (await undeliver(*words, "--config", str(config))).out
    assert "sesame" not in printed
    definitions = tmp_path / "definitions.json"
    definitions.write_text(printed)

    # What `rabbitmqctl import_definitions` and `load_definitions` do with the file.
    imported = f'{{ok, B}} = file:read_file("{definitions}"), rabbit_definitions:import_raw(B)'
    assert (await private_rabbitmq.evaluate(imported)).strip() == "ok"

    place = f"{private_rabbitmq.host}:{private_rabbitmq.port}/production"
    for name in names:
        async with await aio_pika.connect(f"amqp://{name}:{name}%20sesame@{place}"):
            pass
    with pytest.raises(ProbableAuthenticationError):
        await aio_pika.connect(f"amqp://soar:cli%20sesame@{place}")
