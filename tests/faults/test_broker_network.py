"""Both brokers behind a network that is slow, drops, or forgets: nothing confirmed is lost."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass

import pytest

from libs.common.broker.port import Ack, Broker, Message, Subscription
from libs.common.broker.postgres import PostgresBroker
from libs.common.broker.postgres import declare as declare_in_postgres
from libs.common.broker.rabbitmq.broker import RabbitBroker
from libs.common.broker.rabbitmq.declaration import declare as declare_in_rabbitmq
from libs.common.clock import SystemClock
from libs.common.errors import TransientError
from tests.contracts.broker_rig import CLASSIFIER, TOPOLOGY, message
from tests.faults.link import Direction
from tests.faults.proxy import Network, network_before

#: Nothing here takes this long; it only ends what hangs.
PATIENCE_SECONDS = 40.0
PUBLISH_TIMEOUT_SECONDS = 1.0
_COME_AGAIN_SECONDS = 0.02


@dataclass(frozen=True)
class Site:
    """A broker with `TOPOLOGY`, and a network on the way to it."""

    network: Network
    #: Connect as a publisher, past the network or through it.
    near: Callable[[str], AbstractAsyncContextManager[Broker]]
    far: Callable[[str], AbstractAsyncContextManager[Broker]]
    #: How long it may take until silence is taken for a loss.
    notices_in_seconds: float = PATIENCE_SECONDS
    #: More than it answers to a new connection, and less than to all messages of a test.
    answer_bytes: int = 1_800


def messages(count: int) -> list[Message]:
    return [message(f"m{number}", body=b'"%s"' % (b"x" * 500)) for number in range(count)]


async def publish_all(broker: Broker, outgoing: Sequence[Message], *, at_once: int = 10) -> int:
    """Publish until each is confirmed, as a handler does; return how often it had to come again."""
    failures = 0
    for start in range(0, len(outgoing), at_once):
        while True:
            try:
                await broker.publish(outgoing[start : start + at_once])
                break
            except TransientError:
                failures += 1
                await asyncio.sleep(_COME_AGAIN_SECONDS)
    return failures


async def take_all(subscription: Subscription, wanted: set[str]) -> None:
    """Receive and ack until each was there, whatever fails in between."""
    missing = set(wanted)
    while missing:
        with suppress(TransientError):
            deliveries = await subscription.receive(20)
            missing -= {delivery.message.message_id for delivery in deliveries}
            await subscription.settle([(delivery, Ack()) for delivery in deliveries])


async def arrive(site: Site, outgoing: Sequence[Message]) -> None:
    """Return when all are in the queue, and nothing that nobody sent."""
    wanted = {each.message_id for each in outgoing}
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        site.near("classifier") as broker,
        broker.subscribe(CLASSIFIER, prefetch=50) as subscription,
    ):
        await take_all(subscription, wanted)


class NetworkContract:
    """What holds for each broker, whatever the network does. Each gives one fixture: `site`."""

    async def test_a_slow_network_only_takes_longer(self, site):
        outgoing = messages(40)
        begun_at = time.monotonic()
        async with site.far("ingest") as broker:
            site.network.delay(0.05)
            await publish_all(broker, outgoing)

        assert time.monotonic() - begun_at >= 0.1
        await arrive(site, outgoing)

    async def test_what_is_not_confirmed_in_time_is_told_and_not_lost(self, site):
        outgoing = messages(5)
        async with site.far("ingest") as broker:
            await broker.publish([message("before")])
            site.network.swallow()
            with pytest.raises(TransientError) as late:
                await broker.publish(outgoing)
            site.network.resume()
            await publish_all(broker, outgoing)

        assert late.value.reason in {"publish_timeout", "broker_unreachable"}
        await arrive(site, outgoing)

    async def test_a_publisher_gets_everything_through_though_each_connection_breaks(self, site):
        outgoing = messages(100)
        async with site.far("ingest") as broker:
            site.network.drop_after(20_000)
            failures = await publish_all(broker, outgoing)

        assert failures >= 3
        await arrive(site, outgoing)

    async def test_confirms_that_are_cut_off_lose_nothing(self, site):
        outgoing = messages(100)
        async with site.far("ingest") as broker:
            await broker.publish([message("before")])
            site.network.drop_after(site.answer_bytes, Direction.TO_CLIENT)
            failures = await publish_all(broker, outgoing, at_once=1)

        assert failures >= 1
        await arrive(site, outgoing)

    @pytest.mark.parametrize("hurt", [Network.cut, Network.reset])
    async def test_a_publisher_recovers_by_itself_from_a_break_in_mid_publish(self, site, hurt):
        outgoing = messages(300)
        async with site.far("ingest") as broker:
            await broker.publish([message("before")])
            site.network.limit(300_000)
            async with asyncio.TaskGroup() as group:
                publishing = group.create_task(publish_all(broker, outgoing, at_once=100))
                await asyncio.sleep(0.1)  # it takes half a second
                hurt(site.network)

        assert publishing.result() >= 1
        await arrive(site, outgoing)

    async def test_a_half_open_connection_does_not_keep_a_publisher_for_ever(self, site):
        outgoing = messages(5)
        async with site.far("ingest") as broker:
            await broker.publish([message("before")])
            site.network.forget()
            async with asyncio.timeout(site.notices_in_seconds):
                await publish_all(broker, outgoing)
            # The old connections break while it leaves: a loop that took its cancellation for an
            # outage would never end.
            site.network.resume()

        await arrive(site, outgoing)

    async def test_a_consumer_notices_a_half_open_connection_and_recovers(self, site):
        outgoing = messages(5)
        async with (
            site.far("classifier") as consumer,
            site.near("ingest") as publisher,
            consumer.subscribe(CLASSIFIER, prefetch=5) as subscription,
        ):
            await publisher.publish([message("before")])
            await take_all(subscription, {"before"})
            site.network.forget()
            await publisher.publish(outgoing)

            async with asyncio.timeout(site.notices_in_seconds):
                await take_all(subscription, {each.message_id for each in outgoing})
            site.network.resume()

    async def test_a_consumer_takes_everything_though_each_connection_breaks(self, site):
        outgoing = messages(60)
        async with site.near("ingest") as publisher:
            await publisher.publish(outgoing)
        async with (
            site.far("classifier") as consumer,
            consumer.subscribe(CLASSIFIER, prefetch=5) as subscription,
        ):
            site.network.drop_after(15_000, Direction.TO_CLIENT)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await take_all(subscription, {each.message_id for each in outgoing})

    async def test_while_connections_are_refused_a_publisher_is_told_at_once(self, site):
        outgoing = messages(5)
        async with site.far("ingest") as broker:
            await broker.publish([message("before")])
            site.network.refuse()
            site.network.reset()
            with pytest.raises(TransientError) as refused:
                await broker.publish(outgoing)
            site.network.resume()
            async with asyncio.timeout(PATIENCE_SECONDS):
                await publish_all(broker, outgoing)

        assert refused.value.reason == "broker_unreachable"
        await arrive(site, outgoing)


class TestRabbitMQ(NetworkContract):
    @pytest.fixture
    async def site(self, vhost) -> Iterator[Site]:
        await declare_in_rabbitmq(vhost.url_for("cli"), TOPOLOGY)

        def connect(url: str) -> AbstractAsyncContextManager[Broker]:
            return RabbitBroker.open(
                f"{url}?heartbeat=1",  # a dead peer is given up after three of it
                topology=TOPOLOGY,
                clock=SystemClock(),
                publish_timeout_seconds=PUBLISH_TIMEOUT_SECONDS,
            )

        with network_before(vhost.admin_url) as network:
            yield Site(
                network,
                near=lambda publisher: connect(vhost.url_for(publisher)),
                far=lambda publisher: connect(network.through(vhost.url_for(publisher))),
            )


class TestPostgres(NetworkContract):
    @pytest.mark.long
    async def test_a_consumer_notices_a_half_open_connection_and_recovers(self, site):
        await super().test_a_consumer_notices_a_half_open_connection_and_recovers(site)

    @pytest.fixture
    async def site(self, database) -> Iterator[Site]:
        await declare_in_postgres(database.superuser_dsn, TOPOLOGY)

        def connect(dsn: str) -> AbstractAsyncContextManager[Broker]:
            return PostgresBroker.open(
                dsn,
                topology=TOPOLOGY,
                clock=SystemClock(),
                lease_seconds=3.0,
                publish_timeout_seconds=PUBLISH_TIMEOUT_SECONDS,
            )

        with network_before(database.superuser_dsn) as network:
            yield Site(
                network,
                near=lambda publisher: connect(database.dsn_for(publisher)),
                far=lambda publisher: connect(network.through(database.dsn_for(publisher))),
                # Its client has no heartbeat: each of some connections is found out by a call that
                # ends after its time, and is cancelled in as much again.
                notices_in_seconds=150.0,
                answer_bytes=3_000,
            )
