"""Going through what was given up on, and returning it, however much it is."""

from contextlib import aclosing

from libs.common.broker.port import DeadLetter
from tests.contracts.broker_rig import CLASSIFIER, EVENTS, ids, message, receive, take

#: More than any adapter fetches at once.
_MANY = 50


async def bury(broker, queue, count=1, reason="spent"):
    """Give up on the next ones, one after the other."""
    async with broker.subscribe(queue, prefetch=1) as subscription:
        for _ in range(count):
            [delivery] = await receive(subscription, 1)
            await subscription.settle([(delivery, DeadLetter(reason))])


async def walked(dead_letters, queue=None):
    """Return the message ids in the order of a walk."""
    async with aclosing(dead_letters.walk(queue)) as letters:
        return [letter.delivery.message.message_id async for letter in letters]


class DeadLettersContract:
    """Part of `BrokerContract`."""

    async def test_a_walk_meets_every_letter_once_oldest_first(
        self, rig, ingest, classifier, retractor
    ):
        for index in range(_MANY):
            await ingest.publish([message(f"m{index}")])
            await bury(classifier, CLASSIFIER)
        await bury(retractor, EVENTS, 3)
        dead_letters = await rig.dead_letters()

        assert await walked(dead_letters, CLASSIFIER) == [f"m{index}" for index in range(_MANY)]
        assert len(await walked(dead_letters, EVENTS)) == 3
        assert len(await walked(dead_letters)) == _MANY + 3
        assert len(await walked(dead_letters)) == _MANY + 3  # they are all still there

    async def test_what_a_walk_meets_can_be_replayed_at_once(self, rig, ingest, classifier):
        sent = [f"m{index}" for index in range(_MANY)]
        await ingest.publish([message(message_id) for message_id in sent])
        await bury(classifier, CLASSIFIER, _MANY)
        dead_letters = await rig.dead_letters()

        async with aclosing(dead_letters.walk()) as letters:
            replayed = [
                letter.delivery.message.message_id
                async for letter in letters
                if letter.delivery.message.message_id.endswith("7")
                and await dead_letters.replay(letter.dead_letter_id)
            ]

        assert sorted(replayed) == ["m17", "m27", "m37", "m47", "m7"]
        assert ids(await take(classifier, CLASSIFIER, 5)) == sorted(replayed)
        assert sorted(await walked(dead_letters)) == sorted(set(sent) - set(replayed))

    async def test_a_letter_that_dies_again_is_not_met_again(self, rig, ingest, classifier):
        await ingest.publish([message("m1"), message("m2")])
        await bury(classifier, CLASSIFIER, 2)
        dead_letters = await rig.dead_letters()
        met = []

        async with aclosing(dead_letters.walk()) as letters:
            async for letter in letters:
                met.append(letter.dead_letter_id)
                assert await dead_letters.replay(letter.dead_letter_id)
                await bury(classifier, CLASSIFIER, reason="again")

        assert len(met) == 2
        again = await dead_letters.waiting()
        assert [letter.reason for letter in again] == ["again", "again"]
        # Another letter, though of the same message: each may be replayed once.
        assert not {letter.dead_letter_id for letter in again} & set(met)

    async def test_a_walk_that_is_left_early_leaves_everything_where_it_was(
        self, rig, ingest, classifier
    ):
        await ingest.publish([message(f"m{index}") for index in range(3)])
        await bury(classifier, CLASSIFIER, 3)
        dead_letters = await rig.dead_letters()

        async with aclosing(dead_letters.walk(CLASSIFIER)) as letters:
            first = await anext(letters)

        assert len(await walked(dead_letters)) == 3
        assert await dead_letters.replay(first.dead_letter_id)
        assert len(await walked(dead_letters)) == 2

    async def test_where_nothing_was_given_up_on_a_walk_meets_nothing(self, rig):
        assert await walked(await rig.dead_letters()) == []
