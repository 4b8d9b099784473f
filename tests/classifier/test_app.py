"""The whole service on a real queue: a journaled message in, its verdict and retraction out."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import pytest_asyncio

from libs.common.broker.port import Ack
from libs.common.broker.postgres import PostgresBroker, declare
from libs.common.broker.publishing import Cause, CausedPublish
from libs.common.broker.topology import AUDIT_EVENTS, RETRACTOR_COMMANDS, UNDELIVER
from libs.common.clock import SystemClock
from libs.common.contracts.mail import MailClassified
from libs.common.contracts.retraction import RetractMail
from libs.common.errors import StartError
from libs.common.tenants.current import CurrentConfiguration
from libs.common.tenants.model import Configuration
from services.classifier.app import classifier
from services.classifier.settings import Tuning
from services.demo.resolver import serve_dns
from tests.classifier.letters import letter
from tests.classifier.reports import WHEN, WRAPPER, journaled, store_key, tenant
from tests.fakes.blobs import FakeBlobs

BAD = letter(attachments=(("a.exe", b"x"),))
CLOCK = SystemClock()
CONFIGURATION = Configuration(service_domain="journal.example", tenants=(tenant(),))


@pytest_asyncio.fixture
async def brokers(database):
    await declare(database.superuser_dsn, UNDELIVER)
    async with AsyncExitStack() as stack:

        async def connect(name: str) -> PostgresBroker:
            opening = PostgresBroker.open(database.dsn_for(name), topology=UNDELIVER, clock=CLOCK)
            return await stack.enter_async_context(opening)

        yield {name: await connect(name) for name in ("ingest", "classifier", "retractor", "audit")}


@pytest.fixture
def blobs():
    blobs = FakeBlobs()
    blobs.contents[store_key(BAD)] = WRAPPER + BAD
    return blobs


@asynccontextmanager
async def running(database, brokers, blobs, port, **more):
    tuning = Tuning(workers=1, nameservers=(f"127.0.0.1:{port}",)).model_copy(update=more)
    async with classifier(
        brokers["classifier"],
        postgres_dsn=database.dsn_for("classifier"),
        blobs=blobs,
        configuration=CurrentConfiguration(CONFIGURATION),
        clock=CLOCK,
        tuning=tuning,
    ) as service:
        running = asyncio.ensure_future(service.run())
        try:
            yield service
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def announce(brokers, event, origin: str = "m1") -> None:
    cause = Cause(origin, origin, "ingest", WHEN, is_message=False)
    await CausedPublish(brokers["ingest"], cause, clock=CLOCK, app_id="ingest")(event)


async def received(broker, queue, count):
    found = []
    async with asyncio.timeout(30), broker.subscribe(queue, prefetch=20) as subscription:
        while len(found) < count:
            deliveries = await subscription.receive(20)
            await subscription.settle([(delivery, Ack()) for delivery in deliveries])
            found += deliveries
    return found


async def test_a_bad_message_leads_to_a_retraction(database, brokers, blobs):
    async with serve_dns({}) as port, running(database, brokers, blobs, port) as service:
        await announce(brokers, journaled(BAD))
        (command,) = await received(brokers["retractor"], RETRACTOR_COMMANDS, 1)
        record = await received(brokers["audit"], AUDIT_EVENTS, 3)
        await service.checks["queues"]()

    retract = RetractMail.model_validate_json(command.message.body)
    assert retract.mailboxes == ("carla@northwind.example",)
    assert command.publisher == "classifier"
    assert {each.message.type for each in record} == {
        "mail.journaled.v1",
        "mail.classified.v1",
        "mail.retract.v1",
    }


async def test_a_service_that_was_stopped_goes_on_where_it_was(database, brokers, blobs):
    async with serve_dns({}) as port:
        async with running(database, brokers, blobs, port):
            pass
        await announce(brokers, journaled(BAD))
        async with running(database, brokers, blobs, port):
            record = await received(brokers["audit"], AUDIT_EVENTS, 3)

    (classified,) = [e for e in record if e.message.type == MailClassified.type]
    assert MailClassified.model_validate_json(classified.message.body).disposition == "malicious"


async def test_two_replicas_share_the_work_and_classify_each_message_once(database, brokers, blobs):
    def nth(number):
        return journaled(BAD, report_key=f"{number:064x}", message_key=f"{number:064x}")

    async with (
        serve_dns({}) as port,
        PostgresBroker.open(
            database.dsn_for("classifier"), topology=UNDELIVER, clock=CLOCK
        ) as second,
        running(database, brokers, blobs, port),
        running(database, {**brokers, "classifier": second}, blobs, port),
    ):
        for number in range(20):
            await announce(brokers, nth(number), f"m{number}")
        record = await received(brokers["audit"], AUDIT_EVENTS, 60)

    classified = [e.message for e in record if e.message.type == MailClassified.type]
    assert len({each.message_id for each in classified}) == len(classified) == 20


async def test_a_service_whose_processes_do_not_start_is_not_given(database, brokers, blobs):
    too_little = {"evaluation_memory_bytes": 1024 * 1024}
    with pytest.raises(StartError, match="CLASSIFIER_EVALUATION_MEMORY_BYTES"):
        async with running(database, brokers, blobs, 53, **too_little):
            pass
