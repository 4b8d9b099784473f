"""What a subscription does about calls whose end it has not seen."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from libs.common.broker.port import Ack, Message
from libs.common.broker.postgres.broker import PostgresBroker
from libs.common.broker.postgres.declaration import declare
from libs.common.broker.postgres.session import connected
from libs.common.broker.postgres.subscription import PostgresSubscription
from libs.common.broker.topology import CLASSIFIER_EVENTS, UNDELIVER
from libs.common.clock import SystemClock
from libs.common.errors import TransientError

#: Far beyond the test's patience: what waits for a lease to run out fails it.
LEASE_SECONDS = 600.0
PATIENCE_SECONDS = 30.0


@dataclass
class Unreliable:
    """A session that loses the connection just before, or just after, a statement's work."""

    session: object
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)

    async def fetch(self, name, *arguments, **options):
        if name in self.before:
            self.before.remove(name)
            raise TransientError("broker_unreachable")
        rows = await self.session.fetch(name, *arguments, **options)
        if rows and name in self.after:
            self.after.remove(name)
            raise TransientError("broker_unreachable")
        return rows

    async def fetch_value(self, name, *arguments):
        return (await self.fetch(name, *arguments))[0][0]


@pytest.fixture
async def publish(database):
    await declare(database.superuser_dsn, UNDELIVER)

    async def publish(count):
        messages = [
            Message(
                message_id=str(uuid4()),
                type="mail.journaled.v1",
                body=b"{}",
                tenant="acme",
                correlation_id=str(uuid4()),
                causation_id=None,
                timestamp=datetime(2026, 1, 5, tzinfo=UTC),
                app_id="test",
            )
            for _ in range(count)
        ]
        dsn = database.dsn_for("ingest")
        async with PostgresBroker.open(dsn, topology=UNDELIVER, clock=SystemClock()) as broker:
            await broker.publish(messages)
        return {message.message_id for message in messages}

    return publish


@asynccontextmanager
async def subscribed(database, **losses):
    dsn = database.dsn_for("classifier")
    async with connected(dsn, max_size=3) as session:
        subscription = PostgresSubscription(
            Unreliable(session, **losses),
            CLASSIFIER_EVENTS,
            asyncio.Event(),
            prefetch=10,
            clock=SystemClock(),
            lease_seconds=LEASE_SECONDS,
        )
        claiming = asyncio.create_task(subscription.claiming())
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                yield subscription
        finally:
            claiming.cancel()


async def receive(subscription):
    """Receive as the consumer's loop does: again after a failure."""
    while True:
        try:
            return list(await subscription.receive(10))
        except TransientError:
            continue


async def test_what_could_not_be_settled_comes_again_at_once(database, publish):
    sent = await publish(3)
    async with subscribed(database, before=["settle"]) as subscription:
        first = await receive(subscription)
        with pytest.raises(TransientError):
            await subscription.settle([(delivery, Ack()) for delivery in first])

        again = await receive(subscription)

        assert {each.message.message_id for each in again} == sent
        assert {each.attempt for each in again} == {1}


async def test_what_was_claimed_by_a_call_that_did_not_return_comes_at_once(database, publish):
    sent = await publish(2)
    async with subscribed(database, after=["claim"]) as subscription:
        received = await receive(subscription)

        assert {each.message.message_id for each in received} == sent


async def test_what_is_being_handled_is_not_handed_out_again_after_a_failure(database, publish):
    await publish(1)
    async with subscribed(database) as subscription:
        [handled] = await receive(subscription)
        sent = await publish(1)
        subscription._session.before.append("claim")

        [other] = await receive(subscription)
        await subscription.settle([(handled, Ack()), (other, Ack())])
        late = await publish(1)
        [last] = await receive(subscription)

        assert {other.message.message_id} == sent
        assert {last.message.message_id} == late
