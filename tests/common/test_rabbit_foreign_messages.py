"""What others publish in their own way is delivered, refused with a reason, and kept."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from libs.common.authority import Authority
from libs.common.broker.decoding import decode
from libs.common.broker.port import DeadLetter
from libs.common.broker.rabbitmq.names import service_exchange
from libs.common.broker.topology import ALL, MAX_BODY_BYTES
from libs.common.errors import PoisonError
from tests.common.deliveries import CANCEL, CONFIGURATION
from tests.common.rabbits import Upstream, broker, declared, taken
from tests.contracts.broker_rig import (
    AUDIT,
    CLASSIFIER,
    HAPPENED,
    TOPOLOGY,
    message,
    receive,
    silent,
)

AUTHORITY = Authority(CONFIGURATION.publishers)
PROPER = {
    "message_id": "m1",
    "message_type": CANCEL.type,
    "headers": {"tenant": "acme"},
    "user_id": "soar",
}


@pytest.fixture
async def soar(vhost):
    first, *others = TOPOLOGY.queues
    await declared(
        vhost, replace(TOPOLOGY, queues=(replace(first, types=(HAPPENED, ALL)), *others))
    )
    await vhost.add_publisher("soar")
    async with Upstream.open(vhost.url_for("soar")) as upstream:
        yield upstream


@pytest.fixture
async def classifier(vhost, soar):
    async with broker(vhost, "classifier") as opened:
        yield opened


@pytest.fixture
async def consumer(classifier):
    async with classifier.subscribe(CLASSIFIER, prefetch=4) as subscription:
        yield subscription


def reason_of(delivery):
    """Return what the consumer loop says of a delivery."""
    said = delivery.message
    if AUTHORITY.refusal(delivery.publisher, said.type, said.tenant):
        return "not_authorised"
    try:
        decode(said, {CANCEL.type})
    except PoisonError as error:
        return error.reason
    return None


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, None),
        ({"message_id": None}, "bad_message_id"),
        ({"message_type": None}, "not_authorised"),
        ({"message_type": "mail.unheard_of.v1"}, "unknown_type"),
        ({"user_id": None}, "not_authorised"),
        ({"headers": None}, "not_authorised"),
        ({"headers": {"tenant": 7}}, "not_authorised"),
        ({"headers": {"tenant": ["acme"]}}, "not_authorised"),
        ({"headers": {"tenant": "a" * 100_000}}, "not_authorised"),
        ({"headers": {"tenant": "acme", "huge": "x" * 100_000}}, None),
        ({"headers": {"tenant": "acme", "attempt": "x", "traceparent": 7}}, None),
        ({"content_type": "text/plain", "content_encoding": "gzip"}, None),
        ({"delivery_mode": 1, "priority": 200, "reply_to": "me"}, None),
        ({"timestamp": datetime(2026, 1, 5, tzinfo=UTC)}, None),
    ],
    ids=[
        "nothing",
        "no id",
        "no type",
        "unknown type",
        "nobody",
        "no headers",
        "a number for a tenant",
        "a list for a tenant",
        "an endless tenant",
        "huge headers",
        "headers of other kinds",
        "another content",
        "odd properties",
        "an instant",
    ],
)
async def test_each_is_delivered_and_refused_for_what_is_wrong(soar, consumer, given, reason):
    # Raw, since the client would give it an id.
    await soar.publish_raw({}, **{**PROPER, **given}, body=CANCEL.body())

    [delivery] = await taken(consumer)

    assert reason_of(delivery) == reason
    assert not delivery.redelivered


@pytest.mark.parametrize(
    ("replaced", "reason"),
    [
        ({CANCEL.type.encode(): CANCEL.type.encode().replace(b"a", b"\xe4")}, "not_authorised"),
        ({b"m1": b"\xfcm"}, None),
        ({b"acme": b"\xe4cme"}, "not_authorised"),
        ({b"tenant": b"t\xe4nant"}, "not_authorised"),
        ({b"corr": b"\xff\xff\xff\xff"}, None),
        ({(1_700_000_000).to_bytes(8, "big"): b"\x7f" * 8}, None),
        ({(1_700_000_000).to_bytes(8, "big"): b"\xff" * 8}, None),
    ],
    ids=["type", "id", "tenant", "header name", "correlation", "instant", "last instant"],
)
async def test_what_is_no_utf8_or_no_time_does_not_break_the_connection(
    soar, consumer, replaced, reason
):
    await soar.publish_raw(
        replaced,
        **PROPER,
        body=CANCEL.body(),
        correlation_id="corr",
        timestamp=datetime.fromtimestamp(1_700_000_000, UTC),
    )

    [delivery] = await taken(consumer)

    assert reason_of(delivery) == reason
    assert (delivery.publisher, delivery.redelivered) == ("soar", False)
    assert delivery.message.body == CANCEL.body()


async def test_headers_deeper_than_anybody_reads_do_not_break_the_connection(soar, consumer):
    deep = b""
    for _ in range(2000):
        deep = b"\x01xF" + len(deep).to_bytes(4, "big") + deep
    size, filling = len(deep).to_bytes(4, "big"), b"z" * len(deep)
    headers = {"tenant": "acme", "deep": filling.decode()}

    await soar.publish_raw(
        {b"S" + size + filling: b"F" + size + deep}, **{**PROPER, "headers": headers}
    )
    [delivery] = await taken(consumer)

    assert reason_of(delivery) == "not_authorised"
    assert not delivery.redelivered


async def test_a_routing_key_that_is_no_utf8_reaches_who_hears_everything(vhost, soar):
    async with broker(vhost, "audit") as audit, audit.subscribe(AUDIT, prefetch=4) as record:
        await soar.publish_raw({b"un.heard": b"un.he\xe4rd"}, routing_key="un.heard", **PROPER)

        [delivery] = await taken(record)

    assert (delivery.message.message_id, delivery.redelivered) == ("m1", False)


async def test_a_body_beyond_the_limit_is_delivered_and_kept(vhost, soar, consumer):
    body = b"x" * (MAX_BODY_BYTES + 1)
    await soar.publish(body, **PROPER)
    [delivery] = await receive(consumer, 1)

    assert reason_of(delivery) == "message_too_large"
    await consumer.settle([(delivery, DeadLetter("message_too_large"))])
    async with broker(vhost, "cli") as cli:
        [letter] = await cli.dead_letters.waiting()
    assert letter.delivery.message.body == body


async def test_a_message_without_a_time_was_made_at_the_same_time_each_time(soar, consumer):
    await soar.publish(**PROPER)
    await soar.publish(**PROPER)

    first, second = await taken(consumer, 2)

    assert first.message == second.message


async def test_nobody_becomes_another_by_a_header(soar, consumer):
    claims = {"publisher": "ingest", "attempt": 4, "handed_back": True, "message_id": ""}
    await soar.publish(**{**PROPER, "headers": {**claims, "tenant": "acme"}})
    await soar.publish(**{**PROPER, "headers": claims, "user_id": None})

    deliveries = await taken(consumer, 2)

    assert {each.publisher for each in deliveries} == {"soar", ""}
    assert {each.message.message_id for each in deliveries} == {"m1"}
    assert not any(each.attempt > 1 or each.redelivered for each in deliveries)


async def test_a_service_is_not_believed_where_everybody_may_publish(vhost, soar, consumer):
    """Else what one service says could be said in the name of another."""
    headers = {"publisher": "soar", "attempt": 4}
    async with Upstream.open(vhost.url_for("classifier")) as classifier:
        await classifier.publish(**{**PROPER, "user_id": "classifier", "headers": headers})
        await classifier.publish(
            exchange=service_exchange("classifier"),
            routing_key=CLASSIFIER,
            **{**PROPER, "user_id": "classifier", "headers": headers},
        )

    by_topic, by_itself = await taken(consumer, 2)

    assert (by_topic.publisher, by_topic.attempt) == ("classifier", 1)
    assert (by_itself.publisher, by_itself.attempt) == ("soar", 4)


async def test_another_who_may_write_to_a_services_exchange_is_not_believed(soar, consumer):
    await soar.publish(
        exchange=service_exchange("classifier"),
        routing_key=CLASSIFIER,
        **{**PROPER, "headers": {"publisher": "ingest", "attempt": 4}},
    )

    [delivery] = await taken(consumer)

    assert (delivery.publisher, delivery.attempt) == ("soar", 1)


async def test_what_does_not_come_by_its_type_is_poison_and_stays_it(vhost, soar, consumer):
    """RabbitMQ checks the routing key against a publisher's rights, and neither type nor CC."""
    await soar.publish(CANCEL.body(), routing_key=HAPPENED, **PROPER)
    await soar.publish(CANCEL.body(), **{**PROPER, "headers": {"tenant": "acme", "misrouted": 1}})
    first, second = await receive(consumer, 2)
    await consumer.settle([(first, DeadLetter("misrouted")), (second, DeadLetter("other"))])

    async with broker(vhost, "cli") as cli:
        for letter in await cli.dead_letters.waiting():
            assert await cli.dead_letters.replay(letter.dead_letter_id)
    again = await taken(consumer, 2)

    assert [reason_of(each) for each in (first, second)] == ["misrouted", None]
    assert [reason_of(each) for each in again] == ["misrouted", None]


async def test_the_nameless_stay_nameless_after_their_burial(vhost, soar, consumer):
    await soar.publish_raw({}, **{**PROPER, "message_id": None, "user_id": None})
    [delivery] = await receive(consumer, 1)
    await consumer.settle([(delivery, DeadLetter("bad_message_id"))])

    async with broker(vhost, "cli") as cli:
        [letter] = await cli.dead_letters.waiting()
        assert await cli.dead_letters.replay(letter.dead_letter_id)
    [again] = await taken(consumer)

    assert letter.delivery.message == again.message == delivery.message
    assert (again.message.message_id, again.publisher) == ("", "")


async def test_one_that_is_broken_does_not_keep_the_others_from_arriving(
    soar, classifier, consumer
):
    await soar.publish_raw({b"m1": b"\xfcm"}, **PROPER)
    await classifier.publish([message("fine", HAPPENED)])

    deliveries = await taken(consumer, 2)

    assert [each.message.message_id for each in deliveries] == ["?m", "fine"]
    assert await silent(consumer)


async def test_what_was_made_long_ago_or_far_ahead_is_delivered(soar, consumer):
    for at in (datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)):
        await soar.publish(**{**PROPER, "timestamp": at})

        [delivery] = await taken(consumer)

        assert abs(delivery.message.timestamp - at) < timedelta(seconds=1)
