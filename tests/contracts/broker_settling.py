"""Settling: ack, retry, dead letter, hand-back, and what becomes of each."""

import asyncio
from contextlib import suppress

import pytest

from libs.common.broker.port import Ack, DeadLetter, HandBack, Retry
from libs.common.errors import TransientError
from tests.contracts.broker_rig import (
    AUDIT,
    CLASSIFIER,
    EVENTS,
    LONG_SECONDS,
    SHORT_SECONDS,
    TOPOLOGY,
    ids,
    is_empty,
    message,
    receive,
    take,
)


class SettlingContract:
    """Part of `BrokerContract`."""

    async def test_what_is_acked_is_gone(self, ingest, classifier, rig):
        await ingest.publish([message("m1")])

        await take(classifier, CLASSIFIER)

        assert await is_empty(classifier, CLASSIFIER)
        assert not await (await rig.dead_letters()).waiting()

    async def test_what_is_handed_back_comes_again_with_the_same_attempt(self, ingest, classifier):
        await ingest.publish([message("m1")])

        async with classifier.subscribe(CLASSIFIER, prefetch=1) as subscription:
            first = await receive(subscription, 1)
            await subscription.settle([(first[0], HandBack())])
            [again] = await receive(subscription, 1)

        assert (again.message, again.attempt, again.redelivered) == (first[0].message, 1, True)

    async def test_a_retry_comes_back_later_to_its_own_queue_with_the_next_attempt(
        self, ingest, classifier, retractor
    ):
        await ingest.publish([message("m1")])
        await take(retractor, EVENTS)
        loop = asyncio.get_running_loop()

        async with classifier.subscribe(CLASSIFIER, prefetch=1) as subscription:
            [first] = await receive(subscription, 1)
            failed_at = loop.time()
            await subscription.settle([(first, Retry("dns_timeout", SHORT_SECONDS))])
            [second] = await receive(subscription, 1)
            waited_seconds = loop.time() - failed_at
            await subscription.settle([(second, Retry("dns_timeout", SHORT_SECONDS))])
            [third] = await receive(subscription, 1)
            await subscription.settle([(third, Ack())])

        assert waited_seconds >= SHORT_SECONDS * 0.9
        assert [first.attempt, second.attempt, third.attempt] == [1, 2, 3]
        assert third.message == first.message
        assert third.publisher == "ingest"  # the first one, not who published the retry
        assert await is_empty(retractor, EVENTS)

    async def test_a_short_retry_does_not_wait_behind_a_long_one(self, ingest, classifier):
        await ingest.publish([message("long"), message("short")])

        async with classifier.subscribe(CLASSIFIER, prefetch=2) as subscription:
            for delivery in await receive(subscription, 2):
                is_long = delivery.message.message_id == "long"
                step = LONG_SECONDS if is_long else SHORT_SECONDS
                await subscription.settle([(delivery, Retry("later", step))])
            [first] = await receive(subscription, 1)
            [last] = await receive(subscription, 1)

        assert (first.message.message_id, last.message.message_id) == ("short", "long")

    async def test_a_dead_letter_is_kept_with_its_reason(self, rig, ingest, classifier, retractor):
        await ingest.publish([message("m1")])
        async with classifier.subscribe(CLASSIFIER, prefetch=1) as subscription:
            [delivery] = await receive(subscription, 1)
            await subscription.settle([(delivery, DeadLetter("contract_violated"))])

        assert await is_empty(classifier, CLASSIFIER)
        [letter] = await (await rig.dead_letters()).waiting()
        assert letter.reason == "contract_violated"
        assert letter.dead_lettered_at.tzinfo is not None
        assert letter.delivery.message == message("m1")
        assert (letter.delivery.queue, letter.delivery.publisher) == (CLASSIFIER, "ingest")
        assert ids(await take(retractor, EVENTS)) == ["m1"]  # the others' copies live on

    async def test_a_replayed_letter_comes_to_its_own_queue_as_if_new(
        self, rig, ingest, classifier, retractor
    ):
        await ingest.publish([message("m1")])
        await take(retractor, EVENTS)
        async with classifier.subscribe(CLASSIFIER, prefetch=1) as subscription:
            [first] = await receive(subscription, 1)
            await subscription.settle([(first, Retry("later", SHORT_SECONDS))])
            [second] = await receive(subscription, 1)
            await subscription.settle([(second, DeadLetter("spent"))])
        dead_letters = await rig.dead_letters()
        [letter] = await dead_letters.waiting()
        assert letter.delivery.attempt == 2

        assert await dead_letters.replay(letter.dead_letter_id)

        [again] = await take(classifier, CLASSIFIER)
        assert (again.message, again.attempt, again.publisher) == (first.message, 1, "ingest")
        assert not await dead_letters.waiting()
        assert await is_empty(retractor, EVENTS)

    async def test_a_letter_is_replayed_once(self, rig, ingest, classifier):
        await ingest.publish([message("m1")])
        async with classifier.subscribe(CLASSIFIER, prefetch=1) as subscription:
            [delivery] = await receive(subscription, 1)
            await subscription.settle([(delivery, DeadLetter("spent"))])
        dead_letters = await rig.dead_letters()
        [letter] = await dead_letters.waiting()

        assert await dead_letters.replay(letter.dead_letter_id)
        assert not await dead_letters.replay(letter.dead_letter_id)
        assert not await dead_letters.replay("no-such-letter")
        assert ids(await take(classifier, CLASSIFIER)) == ["m1"]

    async def test_dead_letters_are_listed_oldest_first_and_by_queue(
        self, rig, ingest, classifier, retractor
    ):
        for name in ("first", "second"):
            await ingest.publish([message(name)])
            for broker, queue in ((classifier, CLASSIFIER), (retractor, EVENTS)):
                async with broker.subscribe(queue, prefetch=1) as subscription:
                    [delivery] = await receive(subscription, 1)
                    await subscription.settle([(delivery, DeadLetter("spent"))])
        dead_letters = await rig.dead_letters()

        everything = await dead_letters.waiting()
        of_one_queue = await dead_letters.waiting(EVENTS)
        oldest = await dead_letters.waiting(EVENTS, limit=1)

        assert len(everything) == 4
        assert [letter.delivery.message.message_id for letter in of_one_queue] == [
            "first",
            "second",
        ]
        assert {letter.delivery.queue for letter in of_one_queue} == {EVENTS}
        assert list(oldest) == list(of_one_queue[:1])

    async def test_what_kills_its_consumer_again_and_again_becomes_a_dead_letter(
        self, rig, ingest, classifier
    ):
        await ingest.publish([message("deadly")])
        for _ in range(TOPOLOGY.delivery_limit + 1):
            doomed = await rig.connect("classifier")
            async with doomed.subscribe(CLASSIFIER, prefetch=1) as subscription:
                await receive(subscription, 1)
                await rig.kill(doomed)

        assert await is_empty(classifier, CLASSIFIER)
        [letter] = await (await rig.dead_letters()).waiting()
        assert (letter.reason, letter.delivery.message.message_id) == ("delivery_limit", "deadly")

    async def test_many_are_settled_at_once_each_in_its_own_way(self, rig, ingest, classifier):
        await ingest.publish([message(name) for name in ("ack", "retry", "dead", "back")])

        async with classifier.subscribe(CLASSIFIER, prefetch=4) as subscription:
            verdicts = {
                "ack": Ack(),
                "retry": Retry("later", SHORT_SECONDS),
                "dead": DeadLetter("spent"),
                "back": HandBack(),
            }
            held = await receive(subscription, 4)
            await subscription.settle([(one, verdicts[one.message.message_id]) for one in held])
            back, retried = await receive(subscription, 2)

        assert (back.message.message_id, back.attempt) == ("back", 1)
        assert (retried.message.message_id, retried.attempt) == ("retry", 2)
        [letter] = await (await rig.dead_letters()).waiting()
        assert letter.delivery.message.message_id == "dead"

    async def test_settling_nothing_does_nothing(self, classifier):
        async with classifier.subscribe(CLASSIFIER, prefetch=1) as subscription:
            await subscription.settle([])

    async def test_settling_a_second_time_changes_nothing(self, rig, ingest, classifier):
        await ingest.publish([message("m1"), message("m2")])

        async with classifier.subscribe(CLASSIFIER, prefetch=2) as subscription:
            first, second = await receive(subscription, 2)
            await subscription.settle([(first, Ack())])
            with suppress(TransientError):
                await subscription.settle([(first, DeadLetter("spent"))])
            await subscription.settle([(second, Ack())])  # the subscription still works

        assert await is_empty(classifier, CLASSIFIER)
        assert not await (await rig.dead_letters()).waiting()

    @pytest.mark.parametrize(
        "settlement", [Ack(), Retry("late", SHORT_SECONDS), DeadLetter("late")]
    )
    async def test_settling_what_was_lost_changes_nothing(
        self, rig, ingest, classifier, settlement
    ):
        await ingest.publish([message("m1")])
        async with classifier.subscribe(CLASSIFIER, prefetch=1) as former:
            [lost] = await receive(former, 1)

        async with classifier.subscribe(CLASSIFIER, prefetch=1) as present:
            [held] = await receive(present, 1)
            with suppress(TransientError):
                await former.settle([(lost, settlement)])
            await present.settle([(held, HandBack())])
            [again] = await receive(present, 1)
            await present.settle([(again, Ack())])

        assert (again.message, again.attempt) == (lost.message, 1)
        assert await is_empty(classifier, CLASSIFIER)
        assert not await (await rig.dead_letters()).waiting()

    async def test_dead_letters_of_the_recorder_do_not_touch_the_doers(
        self, rig, ingest, audit, classifier
    ):
        await ingest.publish([message("m1")])
        async with audit.subscribe(AUDIT, prefetch=1) as subscription:
            [delivery] = await receive(subscription, 1)
            await subscription.settle([(delivery, DeadLetter("spent"))])

        assert ids(await take(classifier, CLASSIFIER)) == ["m1"]
        dead_letters = await rig.dead_letters()
        [letter] = await dead_letters.waiting(AUDIT)
        assert await dead_letters.replay(letter.dead_letter_id)
        assert ids(await take(audit, AUDIT)) == ["m1"]
        assert await is_empty(classifier, CLASSIFIER)
