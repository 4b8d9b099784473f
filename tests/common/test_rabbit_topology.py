"""What is declared on RabbitMQ, and what is said when it cannot be."""

from dataclasses import replace

import aiormq
import pytest

from libs.common.broker.rabbitmq.declaration import declare
from libs.common.broker.rabbitmq.examination import examine
from libs.common.broker.rabbitmq.names import (
    bound_marker,
    dead_queue,
    retry_queue,
    service_exchange,
)
from libs.common.broker.topology import UNDELIVER
from libs.common.errors import StartError, TransientError
from tests.common.rabbits import broker, declared
from tests.contracts.broker_rig import CLASSIFIER, TOPOLOGY, ids, message, take

_TOLD = {"password": "user or password", "vhost": "virtual host", "host": "ConnectionRefusedError"}
#: Refused or ignored by one version or another (RabbitMQ 4.0 and 4.3 release notes).
UNPORTABLE = {
    "x-max-priority",
    "x-queue-mode",
    "x-queue-version",
    "x-expires",
    "x-single-active-consumer",
    "x-consumer-timeout",
}


async def test_every_queue_survives_a_restart_and_a_version(vhost):
    await declared(vhost, UNDELIVER)

    rows = await vhost.server.management.get("queues", vhost.name)

    assert len(rows) == len(UNDELIVER.queues) * (2 + len(UNDELIVER.delay_steps_seconds))
    for row in rows:
        assert row["durable"]
        assert not row["auto_delete"]
        assert not row["exclusive"]
        assert row["arguments"]["x-queue-type"] == "quorum"
        assert row["arguments"]["x-delivery-limit"] >= UNDELIVER.delivery_limit
        assert not UNPORTABLE & row["arguments"].keys()


async def test_what_is_given_up_on_moves_without_loss(vhost):
    await declared(vhost, UNDELIVER)

    states = await vhost.queues()

    for queue in UNDELIVER.queues:
        letters = {
            "x-dead-letter-exchange": service_exchange(queue.service),
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }
        own = states[queue.name].arguments
        assert (
            own.items() >= {**letters, "x-dead-letter-routing-key": dead_queue(queue.name)}.items()
        )
        for step, milliseconds in ((5, 5000), (30, 30000), (300, 300000), (1800, 1800000)):
            waiting = states[retry_queue(queue.name, step)].arguments
            back = {"x-dead-letter-routing-key": queue.name, "x-message-ttl": milliseconds}
            assert waiting.items() >= {**letters, **back}.items()
        kept = states[dead_queue(queue.name)].arguments
        # RabbitMQ 4 gives a limit of 20 to a queue without one, and drops what is beyond.
        assert kept["x-delivery-limit"] >= 1_000_000


async def test_exchanges_are_durable_and_of_their_kind(vhost):
    await declared(vhost)

    rows = await vhost.server.management.get("exchanges", vhost.name)

    ours = {row["name"]: row for row in rows if row["name"].startswith("undeliver")}
    assert all(row["durable"] for row in ours.values())
    # Only the markers of bindings go, with their queue.
    assert {name.split("/")[0] for name, row in ours.items() if row["auto_delete"]} == {
        bound_marker(queue.name, "").rstrip("/") for queue in TOPOLOGY.queues
    }
    assert ours["undeliver"]["type"] == "topic"
    assert {ours[name]["type"] for name in ("undeliver.replay", "undeliver.audit")} == {"direct"}


async def test_a_queue_with_other_arguments_is_named_with_the_remedy(vhost):
    await declared(vhost)

    with pytest.raises(StartError) as refused:
        await declare(vhost.url_for("cli"), replace(TOPOLOGY, delivery_limit=4))

    assert f"{CLASSIFIER} exists with other arguments" in str(refused.value)
    assert "x-delivery-limit" in str(refused.value)
    assert "new version at the end of its name" in str(refused.value)
    assert str(refused.value).count("\n") + 1 == len(TOPOLOGY.queues) * 3  # but for the dead


async def test_one_that_cannot_be_declared_does_not_keep_the_others_from_it(vhost):
    other = {"x-queue-type": "quorum", "x-delivery-limit": 99}
    async with aiormq.connect(vhost.admin_url) as connection:
        channel = await connection.channel()
        await channel.queue_declare(CLASSIFIER, durable=True, arguments=other)

    with pytest.raises(StartError) as refused:
        await declared(vhost)

    assert len(str(refused.value).splitlines()) == 1
    async with broker(vhost, "ingest") as ingest, broker(vhost, "classifier") as classifier:
        assert await ingest.missing() == []
        await ingest.publish([message("m1")])
        assert ids(await take(classifier, CLASSIFIER)) == ["m1"]


async def test_whoever_may_not_declare_is_told_who_may(vhost):
    await vhost.add_publisher("soar", configure="^$")

    with pytest.raises(StartError, match="use the operator's, `cli`") as refused:
        await declare(vhost.url_for("soar"), TOPOLOGY)

    assert len(str(refused.value).splitlines()) == 1
    assert "may not declare undeliver and" in str(refused.value)


async def test_a_service_needs_no_rights_to_see_what_is_missing(vhost):
    await vhost.add_publisher("soar", configure="^$", write="^$", read="^$")
    async with broker(vhost, "soar") as soar:
        before = await soar.missing()
        await declared(vhost)
        after = await soar.missing()

    queues = {queue.name for queue in TOPOLOGY.queues}
    assert queues <= set(before)
    assert {retry_queue(CLASSIFIER, 0.2), dead_queue(CLASSIFIER)} <= set(before)
    assert "undeliver" in before
    assert f"{CLASSIFIER} for test.happened.v1" in before
    assert after == []


async def test_an_examination_tells_what_is_different(vhost):
    url = vhost.url_for("cli")
    nothing_there = await examine(url, TOPOLOGY)
    await declared(vhost)
    all_there = await examine(url, TOPOLOGY)
    changed = await examine(url, replace(TOPOLOGY, delivery_limit=4))

    assert {part.state for part in nothing_there} == {"missing"}
    assert not {part.state for part in all_there} & {"missing", "different"}
    [queue] = [part for part in changed if part.name == CLASSIFIER]
    assert queue.state == "different"
    assert "x-delivery-limit" in (queue.detail or "")


@pytest.mark.parametrize("problem", ["password", "vhost", "host"])
async def test_a_broker_that_cannot_be_entered_is_unreachable_and_no_secret_is_told(
    vhost, problem, caplog
):
    url = vhost.url_for("ingest")
    password = url.split(":")[2].split("@")[0]
    replaced = {
        "password": url.replace(password, "wrong"),
        "vhost": url + "-no-such",
        "host": f"amqp://ingest:{password}@127.0.0.1:1/x",
    }[problem]

    with pytest.raises(TransientError) as refused:
        async with broker(vhost, "ingest", url=replaced):
            raise AssertionError("it let us in")

    assert refused.value.reason == "broker_unreachable"
    assert caplog.text == ""  # whoever gets the error says it: the client's own lines never end
    assert _TOLD[problem] in refused.value.detail
    for secret in (password, "wrong"):
        assert secret not in str(refused.value) + caplog.text
