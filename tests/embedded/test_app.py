"""All services on one foundation, as `up` and the demonstration compose them."""

import asyncio
import json

import asyncpg
import pytest

from libs.common.clock import SystemClock
from libs.common.tenants.current import CurrentConfiguration
from services.classifier.settings import Tuning as ClassifierTuning
from services.embedded.app import Tunings, embedded
from services.embedded.settings import Settings
from services.ingest.settings import Tuning as IngestTuning
from services.retractor.settings import Tuning as RetractorTuning
from tests.ingest.listening import ACME, CONFIGURATION, Client
from tests.ingest.reports import report
from tests.services.places import open_place
from tests.services.postgres import programs_under_test

TUNINGS = Tunings(IngestTuning(smtp_port=0), ClassifierTuning(workers=1), RetractorTuning())


@pytest.fixture
def place():
    with open_place() as folder:
        yield folder


async def readiness(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /readyz HTTP/1.1\r\nHost: here\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def composed(place):
    settings = Settings(http_port=0, pg_bin=programs_under_test().folder)
    return embedded(
        place / "data", CurrentConfiguration(CONFIGURATION), settings, TUNINGS, SystemClock()
    )


async def queried(services, query):
    connection = await asyncpg.connect(services.foundation.server.dsn(database="undeliver"))
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_every_service_runs_and_says_under_its_own_name_whether_it_can(place):
    async with (
        composed(place) as services,
        asyncio.TaskGroup() as group,
    ):
        running = group.create_task(services.run())
        async with Client.connect(services.smtp_port) as client:
            answer = await client.deliver(report(), ACME)
        said = await readiness(services.http_port)
        running.cancel()

    assert answer.startswith("250")
    assert said["ready"], said
    named = {name.partition(".")[0] for name in said["checks"]}
    assert named == {"audit", "classifier", "ingest", "retractor"}
    assert {"ingest.blobs", "ingest.database", "ingest.queues"} <= said["checks"].keys()


async def test_mailboxes_that_a_killed_process_worked_on_are_free_at_once(place):
    async with composed(place) as services:
        await queried(
            services,
            "insert into retractor.mailboxes (tenant, mailbox, lease_owner, lease_until)"
            " values ('acme', 'ann@acme.example', gen_random_uuid(), now() + interval '1 hour')",
        )
    async with composed(place) as services:
        held = await queried(
            services, "select count(*) from retractor.mailboxes where lease_until is not null"
        )

    assert held == 0
