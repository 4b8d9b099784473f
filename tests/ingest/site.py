"""A deployment of ingest alone, on a real database and disk."""

from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg

from libs.common.blobs.opening import open_blobs
from libs.common.broker.opening import BrokerAddress, open_broker
from libs.common.broker.postgres import PostgresBroker
from libs.common.broker.topology import AUDIT_EVENTS, UNDELIVER
from libs.common.clock import SystemClock
from libs.common.tenants.current import CurrentConfiguration
from services.ingest.app import ingest
from services.ingest.settings import Tuning
from tests.contracts.broker_rig import take
from tests.ingest.listening import CONFIGURATION

CLOCK = SystemClock()


class Site:
    """A deployment of ingest alone; may be started again on the same data."""

    def __init__(self, database, folder):
        self.database = database
        self.folder = folder
        self.blob_url = folder.as_uri()

    @asynccontextmanager
    async def running(self, cable=None, configuration=CONFIGURATION, amqp_url=None, **settings):
        current = configuration
        if not isinstance(current, CurrentConfiguration):
            current = CurrentConfiguration(configuration)
        dsn = self.database.dsn_for("ingest")
        dsn = cable.dsn(dsn) if cable else dsn
        async with AsyncExitStack() as stack:
            chosen = Tuning(smtp_port=settings.pop("port", 0), **settings)
            opening = open_broker(
                BrokerAddress(postgres_dsn=dsn, amqp_url=amqp_url),
                clock=CLOCK,
                publish_timeout_seconds=chosen.publish_seconds,
            )
            broker = await stack.enter_async_context(opening)
            self.blobs = await stack.enter_async_context(open_blobs(self.blob_url))
            service = ingest(
                broker,
                postgres_dsn=dsn,
                blobs=self.blobs,
                configuration=current,
                clock=CLOCK,
                tuning=chosen,
            )
            yield await stack.enter_async_context(service)

    async def announced(self, count):
        """Take this many announcements of mail out of the audit's queue."""
        dsn = self.database.dsn_for("audit")
        async with PostgresBroker.open(dsn, topology=UNDELIVER, clock=CLOCK) as broker:
            found = []
            while len(found) < count:
                taken = [
                    each.message for each in await take(broker, AUDIT_EVENTS, count - len(found))
                ]
                found += [each for each in taken if each.type.startswith("mail.")]
            return found

    async def count(self):
        """Return how many announcements wait for the audit."""
        return await self.query(
            "select count(*) from broker.deliveries where queue = $1 and type like 'mail.%'",
            AUDIT_EVENTS,
        )

    async def query(self, sql, *args):
        connection = await asyncpg.connect(self.database.superuser_dsn)
        try:
            return await connection.fetchval(sql, *args)
        finally:
            await connection.close()
