"""What only RabbitMQ does to its publishers, and what becomes of it."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import aiormq
import pytest

from libs.common.broker.rabbitmq.messages import outgoing
from libs.common.broker.rabbitmq.names import REPLAY_EXCHANGE
from libs.common.broker.rabbitmq.outbox import OUTSTANDING, Parcel
from libs.common.errors import PermanentError, TransientError
from tests.common.rabbits import broker, declared, taken
from tests.contracts.broker_faults import publish_until_confirmed
from tests.contracts.broker_rig import (
    AUDIT,
    CLASSIFIER,
    COMMAND,
    EVENTS,
    HAPPENED,
    PATIENCE_SECONDS,
    TOPOLOGY,
    UNHEARD,
    ids,
    message,
    take,
)


@pytest.fixture
async def ingest(vhost):
    await declared(vhost)
    async with broker(vhost, "ingest") as opened:
        yield opened


@pytest.fixture
async def classifier(vhost, ingest):
    async with broker(vhost, "classifier") as opened:
        yield opened


async def test_a_message_is_what_the_description_of_our_messages_promises(vhost, ingest):
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await ingest.publish([message("m1", traceparent=traceparent)])

    async with aiormq.connect(vhost.admin_url) as connection:
        channel = await connection.channel()
        arrived = await channel.basic_get(CLASSIFIER, no_ack=True)

    properties = arrived.header.properties
    assert (arrived.exchange, arrived.routing_key) == ("undeliver", HAPPENED)
    assert {**properties.headers, "x-delivery-count": 0} == {
        "x-delivery-count": 0,  # the queue's own
        "tenant": "acme",
        "causation_id": "c0",
        "traceparent": traceparent,
    }
    assert properties.timestamp == datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
    assert (properties.message_id, properties.message_type) == ("m1", HAPPENED)
    assert (properties.correlation_id, properties.app_id) == ("c1", "suite")
    assert (properties.user_id, properties.content_type) == ("ingest", "application/json")
    assert properties.delivery_mode == 2


async def test_more_than_may_wait_at_a_time_are_published(ingest, classifier):
    many = [f"m{number:04}" for number in range(OUTSTANDING * 2 + 1)]

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ingest.publish([message(each) for each in many]))
        tasks.create_task(ingest.publish([message("at the same time")]))

    assert ids(await take(classifier, CLASSIFIER, len(many) + 1)) == ["at the same time", *many]


async def test_what_a_publisher_may_not_say_is_refused_and_nothing_else(vhost, ingest, classifier):
    """The broker closes the channel with all that was under way, if not the connection."""
    await vhost.add_publisher("soar")
    await vhost.set_topic_permission("soar", "undeliver", write=f"^{HAPPENED}$")
    async with broker(vhost, "soar") as soar:
        sent = [message(f"m{number:02}") for number in range(20)]
        async with asyncio.TaskGroup() as tasks:
            for each in sent[:10]:
                tasks.create_task(publish_until_confirmed(soar, each.message_id))
            refused = tasks.create_task(outcome(soar.publish([message("no", COMMAND)])))
            for each in sent[10:]:
                tasks.create_task(publish_until_confirmed(soar, each.message_id))

    assert (type(refused.result()), refused.result().reason) == (PermanentError, "publish_refused")
    assert "soar" in refused.result().detail
    missing = {each.message_id for each in sent}
    async with classifier.subscribe(CLASSIFIER, prefetch=10) as subscription:
        while missing:  # some come twice, and one that was lost never does
            missing -= set(ids(await taken(subscription)))


async def test_a_full_queue_is_a_reason_to_come_again(vhost, ingest):
    limited = {
        "pattern": "^test.retractor.commands",
        "definition": {"max-length": 1},
        "apply-to": "queues",
    }
    await vhost.server.management.put("policies", vhost.name, "full", body=limited)

    outcomes = [await outcome(ingest.publish([message(f"m{n}", COMMAND)])) for n in range(20)]

    assert outcomes[0] is None
    refused = [error for error in outcomes if error is not None]
    assert {(type(error), error.reason) for error in refused} == {
        (TransientError, "publish_rejected")
    }


async def test_what_nobody_hears_is_no_less_said(vhost, ingest):
    await ingest.publish([message("m1", UNHEARD)])

    async with broker(vhost, "audit") as audit:
        assert ids(await take(audit, AUDIT)) == ["m1"]


async def test_of_two_with_the_same_id_each_gets_its_own_answer(vhost, ingest):
    """The client knows a returned message by its id alone."""
    async with broker(vhost, "cli") as cli:
        parcels = [parcel("m1", key) for key in (CLASSIFIER, "nobody's", EVENTS, "nobody's")]

        answers = await cli._outbox.publish_each(parcels)

    assert [error and error.reason for error in answers] == [None, "no_queue", None, "no_queue"]


async def test_before_anything_is_declared_nothing_is_published(vhost):
    async with broker(vhost, "ingest") as early:
        with pytest.raises(TransientError) as refused:
            await early.publish([message("m1")])
        assert refused.value.reason == "no_queue"

        await declared(vhost)
        await early.publish([message("m1")])


async def test_a_queue_that_was_deleted_is_missed_soon(vhost, ingest):
    """Audit hears everything, so the broker itself would never return the message."""
    await ingest.publish([message("m1")])
    await vhost.delete_queue(CLASSIFIER)

    missing = await ingest.missing()  # as a probe asks every few seconds
    with pytest.raises(TransientError) as refused:
        await ingest.publish([message("m2")])

    assert missing == [CLASSIFIER, f"{CLASSIFIER} for {HAPPENED}"]
    assert refused.value.reason == "no_queue"
    await ingest.publish([message("m3", COMMAND)])  # others' queues are as they were


async def test_a_queue_that_was_made_anew_by_hand_is_missed_until_it_is_declared(vhost, ingest):
    """Its bindings went with the former; audit hears everything, so nothing would be returned."""
    arguments = (await vhost.queues())[CLASSIFIER].arguments
    await vhost.delete_queue(CLASSIFIER)
    async with aiormq.connect(vhost.admin_url) as connection:
        channel = await connection.channel()
        await channel.queue_declare(CLASSIFIER, durable=True, arguments=dict(arguments))

    assert await ingest.missing() == [f"{CLASSIFIER} for {HAPPENED}"]
    with pytest.raises(TransientError, match="no_queue"):
        await ingest.publish([message("m1")])
    await declared(vhost)
    await ingest.publish([message("m2")])

    assert (await vhost.queues())[CLASSIFIER].messages == 1


async def test_who_has_never_been_bound_is_missed(vhost, ingest, classifier):
    """As when a release that binds more is rolled out before its topology is declared."""
    first, *others = TOPOLOGY.queues
    newer = replace(TOPOLOGY, queues=(replace(first, types=(HAPPENED, UNHEARD)), *others))
    async with broker(vhost, "ingest", topology=newer) as ahead:
        assert await ahead.missing() == [f"{CLASSIFIER} for {UNHEARD}"]
        with pytest.raises(TransientError) as refused:
            await ahead.publish([message("lost?", UNHEARD)])
        assert refused.value.reason == "no_queue"
        await ahead.publish([message("m1", HAPPENED)])

        await declared(vhost, newer)
        assert await ahead.missing() == []
        await ahead.publish([message("m2", UNHEARD)])

    assert ids(await take(classifier, CLASSIFIER, 2)) == ["m1", "m2"]


@pytest.mark.parametrize(
    "bad",
    [
        message("x" * 256),
        message(correlation_id="\udc80"),
        message(tenant="a\nb"),
        message(traceparent="x" * 5000),
        message(type_="x" * 256),
    ],
    ids=["long id", "no unicode", "control character", "long header", "long type"],
)
async def test_what_would_break_the_channel_is_refused_before(ingest, classifier, bad):
    with pytest.raises(PermanentError, match="publish_refused"):
        await ingest.publish([bad])

    await ingest.publish([message("m1")])
    assert ids(await take(classifier, CLASSIFIER)) == ["m1"]


async def test_what_is_under_way_when_the_connection_goes_fails_at_once(vhost, ingest):
    async with (
        vhost.memory_alarm(),
        asyncio.timeout(PATIENCE_SECONDS / 2),  # before the time for a confirm is over
        asyncio.TaskGroup() as tasks,
    ):
        waiting = [
            tasks.create_task(outcome(ingest.publish([message(f"m{number}", COMMAND)])))
            for number in range(5)
        ]
        await asyncio.sleep(0.2)
        await vhost.close_connections("ingest")

    errors = {(type(task.result()), task.result().reason) for task in waiting}
    assert errors == {(TransientError, "broker_unreachable")}


async def test_an_alarm_is_not_followed_by_all_that_was_given_up_meanwhile(vhost, ingest):
    async with broker(vhost, "ingest", publish_timeout_seconds=0.1) as impatient:
        async with vhost.memory_alarm():
            for _ in range(20):
                with pytest.raises(TransientError, match="publish_timeout"):
                    await impatient.publish([message("m1")])
        await publish_until_confirmed(impatient, "m2")

    # One at the least: it takes a publish to learn of the alarm.
    assert (await vhost.queues())[CLASSIFIER].messages < 10


async def outcome(publishing):
    """Return what went wrong, or None."""
    try:
        await publishing
    except (TransientError, PermanentError) as error:
        return error
    return None


def parcel(message_id, key):
    return Parcel(REPLAY_EXCHANGE, key, outgoing(message(message_id), publisher="cli"))
