"""What only RabbitMQ does to its consumers, and what becomes of it."""

import asyncio

import pytest

from libs.common.broker.port import DeadLetter, HandBack, Retry
from libs.common.broker.rabbitmq.names import dead_queue, retry_queue
from libs.common.errors import PermanentError, TransientError
from tests.common.rabbits import LENIENT, Hurried, broker, declared, taken
from tests.contracts.broker_rig import (
    AUDIT,
    CLASSIFIER,
    PATIENCE_SECONDS,
    SHORT_SECONDS,
    TOPOLOGY,
    ids,
    message,
    receive,
    silent,
    take,
)
from tests.faults.proxy import network_before

#: More than the delivery limit.
MANY = 30


@pytest.fixture
async def ingest(vhost):
    await declared(vhost, LENIENT)
    async with broker(vhost, "ingest", topology=LENIENT) as opened:
        yield opened


@pytest.fixture
async def classifier(vhost, ingest):
    async with broker(vhost, "classifier", topology=LENIENT) as opened:
        yield opened


async def slept(clock, times):
    while True:
        if len(clock.slept_seconds) >= times:
            return
        await asyncio.sleep(0.05)


async def letters(vhost):
    async with broker(vhost, "cli", topology=LENIENT) as cli:
        return await cli.dead_letters.waiting()


async def test_no_number_of_hand_backs_makes_a_dead_letter(vhost, ingest, classifier):
    """Before RabbitMQ 4.3 each counts towards the limit that is there for crashes."""
    await ingest.publish([message("m1")])

    async with classifier.subscribe(CLASSIFIER, prefetch=1) as subscription:
        for number in range(MANY):
            [delivery] = await receive(subscription, 1)
            assert (delivery.attempt, delivery.redelivered) == (1, number > 0)
            await subscription.settle([(delivery, HandBack())])
        [last] = await taken(subscription)

    assert (last.message, last.attempt, last.publisher) == (message("m1"), 1, "ingest")
    assert not await letters(vhost)


async def test_no_number_of_shutdowns_makes_a_dead_letter(vhost, ingest, classifier):
    sent = [f"m{number}" for number in range(5)]
    await ingest.publish([message(each) for each in sent])

    for _ in range(MANY):
        async with classifier.subscribe(CLASSIFIER, prefetch=5) as subscription:
            held = await receive(subscription, 5)
            assert {delivery.attempt for delivery in held} == {1}
    again = await take(classifier, CLASSIFIER, 5)

    assert ids(again) == sent
    assert {delivery.publisher for delivery in again} == {"ingest"}
    assert not await letters(vhost)


async def test_a_hand_back_keeps_the_failures_that_were_recorded(ingest, classifier):
    await ingest.publish([message("m1")])

    async with classifier.subscribe(CLASSIFIER, prefetch=1) as subscription:
        [first] = await receive(subscription, 1)
        await subscription.settle([(first, Retry("later", SHORT_SECONDS))])
        for _ in range(MANY):
            [delivery] = await receive(subscription, 1)
            await subscription.settle([(delivery, HandBack())])
        [last] = await taken(subscription)

    assert (last.attempt, last.publisher) == (2, "ingest")


async def test_a_lost_connection_is_said_once_and_then_it_goes_on(vhost, ingest, classifier):
    async with classifier.subscribe(CLASSIFIER, prefetch=5) as subscription:
        await vhost.close_connections("classifier")

        async with asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(TransientError) as said:
                await subscription.receive(1)
            await ingest.publish([message("m1")])
            [delivery] = await subscription.receive(1)  # not a second time

    assert said.value.reason == "broker_unreachable"
    assert delivery.message.message_id == "m1"


async def test_a_queue_that_is_deleted_and_declared_again_is_consumed_again(
    vhost, ingest, classifier
):
    async with classifier.subscribe(CLASSIFIER, prefetch=5) as subscription:
        await vhost.delete_queue(CLASSIFIER)
        with pytest.raises(TransientError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await subscription.receive(1)

        await declared(vhost, LENIENT)
        await ingest.publish([message("m1")])

        assert ids(await taken(subscription)) == ["m1"]


async def test_a_queue_that_is_not_there_yet_is_waited_for(vhost):
    async with (
        broker(vhost, "classifier", topology=LENIENT) as classifier,
        classifier.subscribe(CLASSIFIER, prefetch=5) as subscription,
    ):
        with pytest.raises(TransientError) as said:
            await subscription.receive(1)
        await declared(vhost, LENIENT)
        await classifier.publish([message("m1")])

        assert ids(await taken(subscription)) == ["m1"]
    assert said.value.reason == "no_queue"


async def test_a_channel_that_the_broker_closes_takes_nothing_with_it(vhost, ingest, classifier):
    await ingest.publish([message("m1"), message("m2")])
    async with classifier.subscribe(CLASSIFIER, prefetch=1) as subscription:
        [held] = await receive(subscription, 1)
        await subscription._consumption._channel.basic_ack(4711)  # PRECONDITION_FAILED
        with pytest.raises(TransientError):
            await subscription.receive(1)
        await subscription.settle([(held, DeadLetter("late"))])  # a tag of the former channel

        again = await taken(subscription)
        again += await taken(subscription)

    assert ids(again) == ["m1", "m2"]
    assert not await letters(vhost)


async def test_another_services_queue_is_refused(vhost, ingest):
    await vhost.add_publisher("soar", read="^$")
    async with (
        broker(vhost, "soar", topology=LENIENT) as soar,
        soar.subscribe(CLASSIFIER, prefetch=1) as subscription,
    ):
        with pytest.raises(PermanentError, match="refused"):
            await subscription.receive(1)


async def test_a_connection_that_is_half_open_is_noticed(vhost, ingest):
    direct = vhost.url_for("classifier")
    with network_before(direct) as network:
        url = f"{network.through(direct)}?heartbeat=1"  # then it takes 6 s instead of 18 s
        async with (
            broker(vhost, "classifier", url=url, topology=LENIENT) as classifier,
            classifier.subscribe(CLASSIFIER, prefetch=5) as subscription,
        ):
            network.forget()
            with pytest.raises(TransientError):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await subscription.receive(1)

            await ingest.publish([message("m1")])
            assert ids(await taken(subscription)) == ["m1"]


async def test_whoever_cannot_publish_can_still_settle(vhost, ingest):
    await ingest.publish([message(f"m{number}") for number in range(20)])
    async with (
        broker(vhost, "classifier", topology=LENIENT, publish_timeout_seconds=0.3) as impatient,
        impatient.subscribe(CLASSIFIER, prefetch=4) as subscription,
        vhost.memory_alarm(),
    ):
        with pytest.raises(TransientError):  # RabbitMQ blocks a connection when it publishes
            await impatient.publish([message("blocked")])

        handled = []
        while len(handled) < 20:
            handled += await taken(subscription)

    assert len(set(ids(handled))) == 20


async def test_what_cannot_go_to_its_retry_step_waits_until_it_can(vhost, ingest, classifier):
    await ingest.publish([message("m1")])
    await vhost.delete_queue(retry_queue(CLASSIFIER, SHORT_SECONDS))
    clock = Hurried()

    async with (
        broker(vhost, "classifier", topology=LENIENT, clock=clock) as hurried,
        hurried.subscribe(CLASSIFIER, prefetch=1) as subscription,
    ):
        [first] = await receive(subscription, 1)
        with pytest.raises(TransientError) as said:
            await subscription.settle([(first, Retry("later", SHORT_SECONDS))])
        assert await silent(subscription)
        await declared(vhost, LENIENT)
        [again] = await taken(subscription)

    assert said.value.reason == "broker_unreachable"
    assert (again.message, again.attempt) == (first.message, 2)
    assert sum(clock.slept_seconds) >= 5  # it does not turn as fast as it can
    assert not await letters(vhost)


async def test_no_alarm_is_long_enough_to_make_a_dead_letter(vhost):
    """Handed back each time, it would be taken for one that crashes its consumer."""
    await declared(vhost)
    clock = Hurried()
    async with (
        broker(vhost, "classifier", clock=clock, publish_timeout_seconds=0.2) as impatient,
        impatient.subscribe(CLASSIFIER, prefetch=1) as subscription,
    ):
        await impatient.publish([message("m1")])
        [first] = await receive(subscription, 1)
        async with vhost.memory_alarm(), asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(TransientError):
                await subscription.settle([(first, Retry("later", SHORT_SECONDS))])
            await slept(clock, times=TOPOLOGY.delivery_limit * 2)
        [again] = await taken(subscription)

    assert (again.message, again.attempt) == (first.message, 2)
    assert (await vhost.queues())[dead_queue(CLASSIFIER)].messages == 0


async def test_what_may_never_be_published_does_not_hold_its_place_for_ever(vhost, ingest):
    """As with a service that lacks a right: the broker's limit is where it ends, and shows."""
    await ingest.publish([message("m1")])
    await vhost.add_publisher("classifier", write="^undeliver$")
    async with (
        broker(vhost, "classifier", topology=LENIENT, clock=Hurried()) as hurried,
        hurried.subscribe(CLASSIFIER, prefetch=1) as subscription,
    ):
        [first] = await receive(subscription, 1)
        with pytest.raises(TransientError):
            await subscription.settle([(first, DeadLetter("bad"))])
        [again] = await receive(subscription, 1)

    assert (again.message, again.attempt, again.redelivered) == (first.message, 1, True)


async def test_an_end_does_not_wait_for_a_broker_that_confirms_nothing(vhost, ingest, classifier):
    await ingest.publish([message("worn")])
    async with classifier.subscribe(CLASSIFIER, prefetch=1) as subscription:
        for _ in range(LENIENT.delivery_limit // 2):
            [delivery] = await receive(subscription, 1)
            await subscription.settle([(delivery, HandBack())])
    async with (
        vhost.memory_alarm(),
        asyncio.timeout(PATIENCE_SECONDS),
        classifier.subscribe(CLASSIFIER, prefetch=1) as subscription,
    ):
        await receive(subscription, 1)

    assert "worn" in ids(await take(classifier, CLASSIFIER))
    assert not await letters(vhost)


async def test_each_service_has_its_retries_and_dead_letters_to_itself(vhost, ingest, classifier):
    await ingest.publish([message("m1"), message("m2")])
    async with classifier.subscribe(CLASSIFIER, prefetch=2) as subscription:
        first, second = await receive(subscription, 2)
        await subscription.settle([(first, Retry("later", 0.6)), (second, DeadLetter("spent"))])
        states = await vhost.queues()

        assert states[retry_queue(CLASSIFIER, 0.6)].messages == 1
        assert states[dead_queue(CLASSIFIER)].messages == 1
        assert [delivery.attempt for delivery in await taken(subscription)] == [2]
    async with broker(vhost, "audit", topology=LENIENT) as audit:
        assert ids(await take(audit, AUDIT, 2)) == ["m1", "m2"]
        async with audit.subscribe(AUDIT, prefetch=5) as subscription:
            assert await silent(subscription)  # no retry went through the exchange
