"""Dead letters on RabbitMQ: looking at them takes them in the hand."""

import asyncio
from contextlib import aclosing

import aio_pika
import pytest

from libs.common.broker.port import DeadLetter
from libs.common.broker.rabbitmq.looking import looking
from libs.common.broker.rabbitmq.messages import outgoing
from libs.common.broker.rabbitmq.names import dead_queue
from libs.common.broker.topology import EXCHANGE
from libs.common.errors import PermanentError
from tests.common.rabbits import broker, declared
from tests.contracts.broker_dead_letters import bury
from tests.contracts.broker_rig import (
    AUDIT,
    CLASSIFIER,
    EVENTS,
    PATIENCE_SECONDS,
    TOPOLOGY,
    ids,
    message,
    receive,
    take,
)
from tests.contracts.test_rabbit_broker import RabbitRig


@pytest.fixture
async def ingest(vhost):
    await declared(vhost)
    async with broker(vhost, "ingest") as opened:
        yield opened


@pytest.fixture
async def classifier(vhost, ingest):
    async with broker(vhost, "classifier") as opened:
        yield opened


@pytest.fixture
async def cli(vhost, ingest):
    async with broker(vhost, "cli") as opened:
        yield opened


async def test_looking_again_and_again_loses_nothing(ingest, classifier, cli):
    """RabbitMQ 4 drops from a queue without a limit what was looked at 20 times."""
    await ingest.publish([message("m1"), message("m2")])
    await bury(classifier, CLASSIFIER, 2)

    looks = [await cli.dead_letters.waiting() for _ in range(25)]

    assert all(look == looks[0] for look in looks)
    assert [letter.delivery.message.message_id for letter in looks[0]] == ["m1", "m2"]
    assert await cli.dead_letters.replay(looks[0][1].dead_letter_id)


async def test_whoever_dies_over_it_has_changed_nothing(vhost, ingest, classifier, cli):
    sent = [f"m{number}" for number in range(10)]
    await ingest.publish([message(each) for each in sent])
    await bury(classifier, CLASSIFIER, 10)
    queue = TOPOLOGY.queues[0]

    async with broker(vhost, "cli") as doomed, looking(doomed._consuming, queue) as look:
        for _ in range(5):
            await look.next()
        await RabbitRig(vhost, None).kill(doomed)
        letters = await all_letters(cli, 10)

    assert [letter.delivery.message.message_id for letter in letters] == sent


async def test_two_who_look_at_once_see_each_letter_at_most_once(ingest, classifier, cli):
    await ingest.publish([message("m1"), message("m2")])
    await bury(classifier, CLASSIFIER, 2)

    async with aclosing(cli.dead_letters.walk()) as walk:
        first = await anext(walk)
        others = await cli.dead_letters.waiting()

    assert [first.delivery.message.message_id] == ["m1"]
    assert [letter.delivery.message.message_id for letter in others] == ["m2"]
    assert len(await cli.dead_letters.waiting()) == 2


async def test_a_walk_may_go_back_to_what_it_has_met(ingest, classifier, cli):
    sent = [f"m{number}" for number in range(5)]
    await ingest.publish([message(each) for each in sent])
    await bury(classifier, CLASSIFIER, 5)

    async with aclosing(cli.dead_letters.walk()) as walk:
        met = [await anext(walk) for _ in range(4)]
        assert await cli.dead_letters.replay(met[1].dead_letter_id)
        assert not await cli.dead_letters.replay(met[1].dead_letter_id)
        rest = [letter async for letter in walk]

    assert [letter.delivery.message.message_id for letter in rest] == ["m4"]
    assert ids(await take(classifier, CLASSIFIER)) == ["m1"]
    assert len(await cli.dead_letters.waiting()) == 4


async def test_what_the_broker_gave_up_on_has_one_name(vhost, ingest, cli):
    await ingest.publish([message("deadly")])
    for _ in range(TOPOLOGY.delivery_limit + 1):
        async with (
            broker(vhost, "classifier") as doomed,
            doomed.subscribe(CLASSIFIER, prefetch=1) as subscription,
        ):
            await receive(subscription, 1)
            await RabbitRig(vhost, None).kill(doomed)

    [letter] = await all_letters(cli, 1)
    [again] = await cli.dead_letters.waiting()

    assert (letter, letter.reason) == (again, "delivery_limit")
    assert (letter.delivery.publisher, letter.delivery.attempt) == ("ingest", 1)
    assert await cli.dead_letters.replay(letter.dead_letter_id)
    async with broker(vhost, "classifier") as classifier:
        [replayed] = await take(classifier, CLASSIFIER)
    assert (replayed.publisher, replayed.attempt) == ("ingest", 1)


async def test_what_expired_before_anybody_looked_did_not_crash_its_consumer(vhost, ingest, cli):
    """Whoever publishes past our adapter may set an `expiration`."""
    async with await aio_pika.connect(vhost.url_for("ingest")) as connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(EXCHANGE, ensure=False)
        hasty = outgoing(message("hasty"), publisher="ingest")
        hasty.expiration = 0.001
        await exchange.publish(hasty, hasty.type)

    homes = [each.name for each in TOPOLOGY.queues if {hasty.type, "#"} & {*each.types}]
    letters = await all_letters(cli, len(homes))
    assert {each.delivery.queue for each in letters} == {*homes}
    assert {(each.reason, each.delivery.publisher) for each in letters} == {("expired", "ingest")}
    [own] = [each for each in letters if each.delivery.queue == CLASSIFIER]
    assert await cli.dead_letters.replay(own.dead_letter_id)
    async with broker(vhost, "classifier") as classifier:
        assert ids(await take(classifier, CLASSIFIER)) == ["hasty"]


async def test_a_service_sees_its_own_and_may_not_replay(vhost, ingest, classifier, cli):
    await vhost.add_publisher("classifier", write=r"^undeliver(\.classifier)?$")
    await ingest.publish([message("m1")])
    await bury(classifier, CLASSIFIER)
    async with broker(vhost, "retractor") as retractor:
        await bury(retractor, EVENTS)
        assert [each.delivery.queue for each in await retractor.dead_letters.waiting()] == [EVENTS]

    [own] = await classifier.dead_letters.waiting()
    with pytest.raises(PermanentError, match="publish_refused"):
        await classifier.dead_letters.replay(own.dead_letter_id)

    assert own.delivery.queue == CLASSIFIER
    assert len(await cli.dead_letters.waiting()) == 2


async def test_a_replay_that_cannot_be_delivered_leaves_the_letter(vhost, ingest, classifier, cli):
    await ingest.publish([message("m1")])
    await bury(classifier, CLASSIFIER)
    [letter] = await cli.dead_letters.waiting()
    await vhost.delete_queue(CLASSIFIER)

    with pytest.raises(Exception, match="no_queue"):
        await cli.dead_letters.replay(letter.dead_letter_id)

    assert await cli.dead_letters.waiting() == [letter]


async def test_a_letter_says_why_and_when_in_its_headers(vhost, ingest, classifier):
    """For whoever looks with RabbitMQ's own tools."""
    await ingest.publish([message("m1")])
    await bury(classifier, CLASSIFIER, reason="contract_violated")

    async with (
        broker(vhost, "cli") as opened,
        looking(opened._consuming, TOPOLOGY.queues[0]) as look,
    ):
        arrived = await look._channel.basic_get(dead_queue(CLASSIFIER))
        headers = arrived.header.properties.headers

    assert (headers["reason"], headers["publisher"]) == ("contract_violated", "ingest")
    assert (headers["attempt"], headers["tenant"]) == (1, "acme")
    assert headers["dead_lettered_at"].endswith("+00:00")


async def test_dead_letters_of_the_recorder_are_the_recorders(vhost, ingest, cli):
    await ingest.publish([message("m1")])
    async with broker(vhost, "audit") as audit, audit.subscribe(AUDIT, prefetch=1) as subscription:
        [delivery] = await receive(subscription, 1)
        await subscription.settle([(delivery, DeadLetter("spent"))])

    assert await cli.dead_letters.waiting(CLASSIFIER) == []
    assert [each.delivery.queue for each in await cli.dead_letters.waiting(AUDIT)] == [AUDIT]
    assert await cli.dead_letters.waiting("no.such.queue") == []


async def all_letters(opened, count):
    """Return so many letters: what somebody held who died comes back a little later."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            letters = await opened.dead_letters.waiting()
            if len(letters) >= count:
                return letters
            await asyncio.sleep(0.02)
