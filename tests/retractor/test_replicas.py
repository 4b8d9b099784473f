"""Two processes of the service at once, as a deployment runs them."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import uuid4

import pytest

from libs.common.broker.port import Ack
from libs.common.broker.postgres import declare
from libs.common.broker.topology import AUDIT_EVENTS, UNDELIVER
from libs.common.clock import SystemClock
from libs.common.contracts.retraction import CopySettled, RetractionFinished, RetractMail
from libs.common.errors import TransientError
from services.retractor.app import retractor
from services.retractor.settings import Tuning
from services.retractor.workers.expiry import expire_some
from tests.retractor.conftest import FAST, PEOPLE
from tests.retractor.rig import TENANT, Mail, deliver, in_force, journaled
from tests.retractor.test_service import broker, message

MAILS = [
    Mail(to=tuple(f"{name}@acme.example" for name in PEOPLE), internet_message_id=f"<{n}@evil>")
    for n in range(6)
]


@pytest.fixture
async def replicas(database, simulator, monkeypatch):
    """Run two of them, neither alone."""
    monkeypatch.setenv("RIG_SECRET", "s3cret")
    await declare(database.superuser_dsn, UNDELIVER)
    tuning = Tuning(
        graph_url=simulator.graph_url,
        authority_url=simulator.authority_url,
        ca_file=simulator.ca_file,
        **FAST,
    )
    async with AsyncExitStack() as held, asyncio.TaskGroup() as group:
        # At once: both make the tables.
        services = await asyncio.gather(
            *(held.enter_async_context(replica(database, tuning)) for _ in range(2))
        )
        tasks = [group.create_task(service.run()) for service in services]
        yield services
        for task in tasks:
            task.cancel()


@asynccontextmanager
async def replica(database, tuning):
    async with (
        broker(database, "retractor") as own,
        retractor(
            own,
            postgres_dsn=database.dsn_for("retractor"),
            configuration=in_force(),
            clock=SystemClock(),
            tuning=tuning,
        ) as service,
    ):
        yield service


def order(mail):
    return RetractMail(
        tenant=TENANT,
        retraction_id=uuid4(),
        internet_message_id=mail.internet_message_id,
        message_key=mail.message_key,
        mailboxes=mail.to,
        destination="soft_delete",
        reason="phish",
        requested_by="ann",
    )


async def until_finished(record, count):
    """Return all that was said until so many retractions have finished."""
    said = []
    async with asyncio.timeout(40), record.subscribe(AUDIT_EVENTS, prefetch=100) as subscription:
        while sum(each.message.type == RetractionFinished.type for each in said) < count:
            deliveries = await subscription.receive(100)
            await subscription.settle([(each, Ack()) for each in deliveries])
            said += deliveries
    return said


async def test_they_share_the_work_and_each_copy_is_moved_and_announced_once(
    replicas, database, simulator
):
    orders = [order(mail) for mail in MAILS]
    async with (
        broker(database, "ingest") as ingest,
        broker(database, "cli") as cli,
        broker(database, "audit") as record,
    ):
        for mail in MAILS:
            deliver(simulator, mail)
        await ingest.publish([message(journaled(mail)) for mail in MAILS])
        await cli.publish([message(command) for command in orders])
        said = await until_finished(record, len(orders))

    settled = [each for each in said if each.message.type == CopySettled.type]
    assert len(settled) == len(MAILS) * len(PEOPLE)
    assert set(Counter(each.message.message_id for each in said).values()) == {1}
    outcomes = [CopySettled.model_validate_json(each.message.body).outcome for each in settled]
    assert Counter(outcomes) == {"moved": len(settled)}
    folders = {copy.folder for copy in simulator.admin.copies()}
    assert folders == {"recoverableitemsdeletions"}


async def test_one_at_a_time_publishes_and_what_it_could_not_publish_is_published_later(
    still, clock
):
    await still.retract(MAILS[0])
    await clock.advance(31 * 60)
    assert await expire_some(still.bench) == 1
    outbox = still.bench.outbox

    with pytest.raises(TransientError):
        async with outbox.batch(10) as first, outbox.batch(10) as meanwhile:
            raise TransientError("broker_unreachable")
    async with outbox.batch(10) as again:
        pass
    async with outbox.batch(10) as done:
        pass

    assert first
    assert (meanwhile, again, done) == ([], first, [])
