"""Faults: a broker that stalls, or goes away and comes back."""

import asyncio
from contextlib import suppress

import pytest

from libs.common.broker.port import Ack
from libs.common.errors import TransientError
from tests.contracts.broker_rig import (
    CLASSIFIER,
    PATIENCE_SECONDS,
    ids,
    message,
    receive,
    take,
)

PUBLISH_TIMEOUT_SECONDS = 0.3


class FaultsContract:
    """Part of `BrokerContract`."""

    async def test_a_missing_confirm_is_given_up_in_time_and_can_be_repeated(self, rig, classifier):
        impatient = await rig.connect("ingest", publish_timeout_seconds=PUBLISH_TIMEOUT_SECONDS)

        async with rig.stalled(), asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(TransientError) as gave_up:
                await impatient.publish([message("m1")])
        await publish_until_confirmed(impatient, "m1")

        assert gave_up.value.reason == "publish_timeout"
        assert set(ids(await take(classifier, CLASSIFIER))) == {"m1"}

    async def test_a_cancelled_publish_leaves_the_next_one_alone(self, rig, ingest, classifier):
        async with rig.stalled(), asyncio.TaskGroup() as tasks:
            cancelled = tasks.create_task(ingest.publish([message("m1")]))
            await asyncio.sleep(0.05)
            cancelled.cancel()
        await publish_until_confirmed(ingest, "m2")

        assert "m2" in ids(await take_all(classifier))

    async def test_publishing_recovers_by_itself_from_a_lost_connection(
        self, rig, ingest, classifier
    ):
        await ingest.publish([message("before")])

        await rig.cut()
        await publish_until_confirmed(ingest, "after")

        assert set(ids(await take_all(classifier))) == {"before", "after"}

    async def test_consuming_recovers_by_itself_from_a_lost_connection(
        self, rig, ingest, classifier
    ):
        async with classifier.subscribe(CLASSIFIER, prefetch=5) as subscription:
            await rig.cut()
            await publish_until_confirmed(ingest, "m1")

            [delivery, *_] = await receive(subscription, 1)
            assert delivery.message.message_id == "m1"

    async def test_what_was_held_over_a_lost_connection_is_not_lost(self, rig, ingest, classifier):
        await ingest.publish([message("m1")])
        async with classifier.subscribe(CLASSIFIER, prefetch=1) as subscription:
            [held] = await receive(subscription, 1)
            await rig.cut()
            with suppress(TransientError):  # it may say so, or reconnect in time
                await subscription.settle([(held, Ack())])

        await publish_until_confirmed(ingest, "m2")
        # Settled, or again here: both are right, and neither blocks what follows.
        assert {"m2"} <= set(ids(await take_all(classifier))) <= {"m1", "m2"}


async def publish_until_confirmed(broker, message_id):
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                return await broker.publish([message(message_id)])
            except TransientError:
                await asyncio.sleep(0.05)


async def take_all(broker):
    """Take what is there, until nothing comes any more."""
    taken = []
    async with broker.subscribe(CLASSIFIER, prefetch=10) as subscription:
        taken += await receive(subscription, 1)
        while True:
            try:
                async with asyncio.timeout(0.5):
                    taken += await subscription.receive(10)
            except TimeoutError:
                break
            except TransientError:
                continue
        await subscription.settle([(delivery, Ack()) for delivery in taken])
    return taken
