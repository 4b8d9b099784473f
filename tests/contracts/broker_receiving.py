"""Receiving: how much, by whom, and what happens to what is not settled."""

import asyncio

import pytest

from libs.common.broker.port import Ack
from tests.contracts.broker_rig import (
    CLASSIFIER,
    PATIENCE_SECONDS,
    ids,
    is_empty,
    message,
    receive,
    silent,
    take,
)


class ReceivingContract:
    """Part of `BrokerContract`."""

    async def test_a_waiting_consumer_gets_what_is_published_later(self, ingest, classifier):
        async with (
            classifier.subscribe(CLASSIFIER, prefetch=1) as subscription,
            asyncio.timeout(PATIENCE_SECONDS),
            asyncio.TaskGroup() as tasks,
        ):
            waiting = tasks.create_task(receive(subscription, 1))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            await ingest.publish([message("m1")])

        assert ids(waiting.result()) == ["m1"]

    async def test_no_more_than_asked_for_is_returned(self, ingest, classifier):
        await ingest.publish([message(f"m{number}") for number in range(5)])

        async with classifier.subscribe(CLASSIFIER, prefetch=5) as subscription:
            first = list(await subscription.receive(2))
            rest = await receive(subscription, 5 - len(first))

        assert 1 <= len(first) <= 2
        assert ids(first + rest) == ["m0", "m1", "m2", "m3", "m4"]

    async def test_no_more_than_the_prefetch_is_unsettled(self, ingest, classifier):
        await ingest.publish([message(f"m{number}") for number in range(3)])

        async with classifier.subscribe(CLASSIFIER, prefetch=2) as subscription:
            held = await receive(subscription, 2)
            assert await silent(subscription)
            await subscription.settle([(held[0], Ack())])
            last = await receive(subscription, 1)

        assert ids(held + last) == ["m0", "m1", "m2"]

    async def test_leaving_hands_back_what_is_unsettled(self, ingest, classifier):
        await ingest.publish([message("settled"), message("unsettled"), message("unreceived")])
        async with classifier.subscribe(CLASSIFIER, prefetch=3) as subscription:
            first, second = await receive(subscription, 2)
            await subscription.settle([(first, Ack())])

        again = await take(classifier, CLASSIFIER, 2)

        assert first.message not in [delivery.message for delivery in again]
        assert {delivery.attempt for delivery in again} == {1}  # a hand-back is no failure
        [returned] = [delivery for delivery in again if delivery.message == second.message]
        assert returned.redelivered
        assert await is_empty(classifier, CLASSIFIER)

    async def test_an_error_in_the_consumer_hands_back_and_stays_itself(self, ingest, classifier):
        await ingest.publish([message("m1")])

        async def fail() -> None:
            async with classifier.subscribe(CLASSIFIER, prefetch=1) as subscription:
                await receive(subscription, 1)
                raise LookupError("a bug")

        with pytest.raises(LookupError, match="a bug"):
            await fail()

        assert ids(await take(classifier, CLASSIFIER)) == ["m1"]

    async def test_a_cancelled_consumer_hands_back(self, ingest, classifier):
        await ingest.publish([message("m1")])
        got_it = asyncio.Event()

        async def consume() -> None:
            async with classifier.subscribe(CLASSIFIER, prefetch=1) as subscription:
                await receive(subscription, 1)
                got_it.set()
                await asyncio.Event().wait()

        async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
            consumer = tasks.create_task(consume())
            await got_it.wait()
            consumer.cancel()

        assert ids(await take(classifier, CLASSIFIER)) == ["m1"]

    async def test_cancelling_receive_loses_nothing(self, ingest, classifier):
        published = [f"m{number:02}" for number in range(30)]
        received: list[str] = []
        async with (
            classifier.subscribe(CLASSIFIER, prefetch=50) as subscription,
            asyncio.timeout(PATIENCE_SECONDS),
        ):
            for number, message_id in enumerate(published):
                await ingest.publish([message(message_id)])
                try:
                    async with asyncio.timeout(number % 4 * 0.001):
                        received += ids(list(await subscription.receive(50)))
                except TimeoutError:
                    continue
            received += ids(await receive(subscription, len(published) - len(received)))

        assert sorted(received) == published

    async def test_consumers_of_two_processes_share_a_queue(self, rig, ingest):
        published = [f"m{number:03}" for number in range(100)]
        taken: list[str] = []
        all_taken = asyncio.Event()

        async def consume() -> None:
            broker = await rig.connect("classifier")
            async with broker.subscribe(CLASSIFIER, prefetch=7) as subscription:
                while True:
                    deliveries = await subscription.receive(3)
                    await subscription.settle([(delivery, Ack()) for delivery in deliveries])
                    taken.extend(ids(list(deliveries)))
                    if len(taken) >= len(published):
                        all_taken.set()

        async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
            consumers = [tasks.create_task(consume()) for _ in range(2)]
            for message_id in published:
                await ingest.publish([message(message_id)])
            await all_taken.wait()
            for consumer in consumers:
                consumer.cancel()

        assert sorted(taken) == published

    async def test_what_a_dead_process_held_comes_again_as_redelivered(
        self, rig, ingest, classifier
    ):
        await ingest.publish([message("m1")])
        doomed = await rig.connect("classifier")
        async with doomed.subscribe(CLASSIFIER, prefetch=1) as subscription:
            await receive(subscription, 1)
            await rig.kill(doomed)

        [again] = await take(classifier, CLASSIFIER)

        assert (again.message.message_id, again.redelivered, again.attempt) == ("m1", True, 1)
