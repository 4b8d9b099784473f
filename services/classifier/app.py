"""Wiring: which adapter stands behind which port."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import asyncpg

from libs.common.blobs.port import Blobs
from libs.common.broker.consumer import consume
from libs.common.broker.inbox import PostgresInbox
from libs.common.broker.port import Broker
from libs.common.broker.readiness import check_queues
from libs.common.broker.topology import CLASSIFIER_EVENTS, UNDELIVER
from libs.common.clock import Clock
from libs.common.contracts.mail import MailJournaled
from libs.common.database.migrations import migrate
from libs.common.database.pool import check_database, pooled
from libs.common.hosting.ground import Ground, usable
from libs.common.hosting.host import host
from libs.common.readiness import Check
from libs.common.tenants.current import CurrentConfiguration
from libs.common.tenants.model import Configuration, Tenant
from services.classifier.adapters.dns import DnsResolver
from services.classifier.adapters.evaluation_pool import EvaluationPool, Limits
from services.classifier.adapters.postgres import SQL_PACKAGE, PostgresSeenMessages
from services.classifier.handlers import classify_mail
from services.classifier.settings import Settings, Tuning

SCHEMA = "classifier"


@dataclass(frozen=True, slots=True)
class Classifier:
    """The service, ready to run, and what says whether it can work."""

    run: Callable[[], Awaitable[None]]
    checks: Mapping[str, Check]


async def run(settings: Settings) -> None:
    """Run the service on its own until cancelled; see `host` for what it waits for.

    Raises:
        ConfigurationError: the configuration is missing or wrong.
        StartError: the blob folder or the probes' port cannot be used, or no worker starts.
    """
    await host(SCHEMA, settings, partial(_on, settings=settings))


@asynccontextmanager
async def _on(ground: Ground, settings: Settings) -> AsyncIterator[Classifier]:
    """Give the service on the ground that it stands on."""
    async with (
        ground.blobs(settings.blob_url) as blobs,
        ground.broker() as broker,
        classifier(
            broker,
            postgres_dsn=await ground.database(),
            blobs=blobs,
            configuration=ground.configuration,
            clock=ground.clock,
            tuning=settings,
        ) as service,
    ):
        yield service


@asynccontextmanager
async def classifier(
    broker: Broker,
    *,
    postgres_dsn: str,
    blobs: Blobs,
    configuration: CurrentConfiguration,
    clock: Clock,
    tuning: Tuning,
) -> AsyncIterator[Classifier]:
    """Make the tables and give the service; whoever composes it lets it run.

    Raises:
        StartError: no worker process starts.
        TransientError: `database_unreachable`.
    """
    async with (
        # First: the processes start while the tables are made.
        open_evaluator(tuning, clock) as evaluator,
        _tables(postgres_dsn) as pool,
    ):
        inbox = await PostgresInbox.open(pool)
        handle = partial(
            classify_mail,
            blobs=blobs,
            resolver=DnsResolver(
                clock, nameservers=tuning.nameservers, timeout_seconds=tuning.dns_timeout_seconds
            ),
            evaluator=evaluator,
            seen=PostgresSeenMessages(pool),
            tenants=configuration.derived(_tenants),
        )
        await evaluator.ready()
        yield Classifier(
            partial(
                consume,
                broker,
                CLASSIFIER_EVENTS,
                {MailJournaled.type: handle},
                inbox=inbox,
                configuration=configuration,
                topology=UNDELIVER,
                clock=clock,
                service=SCHEMA,
                concurrency=tuning.prefetch,
            ),
            {
                "queues": partial(check_queues, broker),
                "database": partial(check_database, pool),
                "blobs": partial(usable, blobs),
            },
        )


@asynccontextmanager
async def _tables(postgres_dsn: str) -> AsyncIterator[asyncpg.Pool]:
    async with pooled(postgres_dsn, schema=SCHEMA, application="undeliver-classifier") as pool:
        await migrate(pool, SQL_PACKAGE)
        yield pool


def _tenants(configuration: Configuration) -> Mapping[str, Tenant]:
    return {tenant.id: tenant for tenant in configuration.tenants}


@asynccontextmanager
async def open_evaluator(tuning: Tuning, clock: Clock) -> AsyncIterator[EvaluationPool]:
    """Give the worker processes, which are still starting."""
    limits = Limits(
        wall_seconds=tuning.evaluation_timeout_seconds,
        cpu_seconds=tuning.evaluation_cpu_seconds,
        memory_bytes=tuning.evaluation_memory_bytes,
    )
    async with EvaluationPool.open(tuning.workers, limits, clock) as evaluator:
        yield evaluator
