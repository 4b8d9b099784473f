"""Wiring: which adapter stands behind which port."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import asyncpg

from libs.common.authority import Authority
from libs.common.blobs.opening import open_blobs
from libs.common.blobs.port import Blobs
from libs.common.broker.consumer import consume
from libs.common.broker.inbox import PostgresInbox
from libs.common.broker.port import Broker
from libs.common.broker.postgres.broker import PostgresBroker
from libs.common.broker.readiness import check_queues
from libs.common.broker.topology import CLASSIFIER_EVENTS, UNDELIVER
from libs.common.clock import Clock, SystemClock
from libs.common.contracts.mail import MailJournaled
from libs.common.database.migrations import migrate
from libs.common.database.pool import open_pool
from libs.common.errors import ConfigurationError
from libs.common.probes import serve_probes
from libs.common.readiness import Check
from libs.common.tenants.loading import load_configuration
from libs.common.tenants.model import Configuration
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
    """Run the service on its own until cancelled.

    Raises:
        ConfigurationError: the configuration is missing or wrong.
        StartError: the blob folder or the probes' port cannot be used.
        TransientError: the database does not answer at the start.
    """
    if settings.blob_url is None:
        raise ConfigurationError("CLASSIFIER_BLOB_URL: is not set; set this environment variable")
    configuration = load_configuration(settings.config)
    dsn, clock = settings.postgres_dsn.get_secret_value(), SystemClock()
    async with (
        open_blobs(settings.blob_url) as blobs,
        PostgresBroker.open(dsn, topology=UNDELIVER, clock=clock) as broker,
        classifier(
            broker,
            postgres_dsn=dsn,
            blobs=blobs,
            configuration=configuration,
            clock=clock,
            tuning=settings,
        ) as service,
        serve_probes(service.checks, host=settings.http_host, port=settings.http_port),
    ):
        await service.run()


@asynccontextmanager
async def classifier(
    broker: Broker,
    *,
    postgres_dsn: str,
    blobs: Blobs,
    configuration: Configuration,
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
            tenants={tenant.id: tenant for tenant in configuration.tenants},
        )
        await evaluator.ready()
        yield Classifier(
            partial(
                consume,
                broker,
                CLASSIFIER_EVENTS,
                {MailJournaled.type: handle},
                inbox=inbox,
                authority=Authority.of(configuration),
                topology=UNDELIVER,
                clock=clock,
                service=SCHEMA,
                concurrency=tuning.prefetch,
            ),
            {"queues": partial(check_queues, broker)},
        )


@asynccontextmanager
async def _tables(postgres_dsn: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(postgres_dsn, schema=SCHEMA, application="undeliver-classifier")
    try:
        await migrate(pool, SQL_PACKAGE)
        yield pool
    finally:
        await pool.close()


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
