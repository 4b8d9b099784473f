"""Wiring: which adapter stands behind which port."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import asyncpg

from libs.common.blobs.opening import open_blobs
from libs.common.blobs.port import Blobs
from libs.common.broker.port import Broker
from libs.common.broker.postgres import PostgresBroker
from libs.common.broker.publishing import CausedPublish
from libs.common.broker.readiness import check_queues
from libs.common.broker.topology import UNDELIVER
from libs.common.clock import Clock, SystemClock
from libs.common.database.migrations import migrate
from libs.common.database.pool import open_pool
from libs.common.errors import ConfigurationError
from libs.common.probes import serve_probes
from libs.common.readiness import Check
from libs.common.tenants.directory import journal_domains
from libs.common.tenants.loading import load_configuration
from libs.common.tenants.model import Configuration
from services.ingest.adapters.parsers import ParseLimits, open_parsers
from services.ingest.adapters.postgres import (
    ANSWER_SECONDS,
    SQL,
    PostgresKeptMail,
    PostgresKnownTokens,
    PostgresReportKeys,
)
from services.ingest.adapters.smtp import ListenerLimits, open_listener
from services.ingest.domain.retention import Retention
from services.ingest.domain.routes import Routes
from services.ingest.handlers import Desk, receive_mail, resolve_recipient
from services.ingest.settings import Settings, Tuning
from services.ingest.workers.retention import retain

SCHEMA = "ingest"


@dataclass(frozen=True, slots=True)
class Ingest:
    """The service, taking mail in while its context lasts, and what says whether it can work."""

    run: Callable[[], Awaitable[None]]
    checks: Mapping[str, Check]
    smtp_port: int


async def run(settings: Settings) -> None:
    """Run the service on its own until cancelled.

    Raises:
        ConfigurationError: the configuration is missing or wrong.
        StartError: a port is taken, a folder cannot be written.
        TransientError: the database does not answer at the start.
    """
    if settings.blob_url is None:
        raise ConfigurationError("INGEST_BLOB_URL: is not set; write file:///absolute/folder")
    configuration = load_configuration(settings.config)
    dsn, clock = settings.postgres_dsn.get_secret_value(), SystemClock()
    async with (
        open_blobs(settings.blob_url) as blobs,
        PostgresBroker.open(
            dsn,
            topology=UNDELIVER,
            clock=clock,
            publish_timeout_seconds=settings.publish_seconds,
        ) as broker,
        ingest(
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
async def ingest(
    broker: Broker,
    *,
    postgres_dsn: str,
    blobs: Blobs,
    configuration: Configuration,
    clock: Clock,
    tuning: Tuning,
) -> AsyncIterator[Ingest]:
    """Make the tables, open the door, and give the service; whoever composes it lets it run.

    On leaving, messages that have arrived whole are kept and answered first.

    Raises:
        StartError: the port is taken, or not ours to take.
        TransientError: `database_unreachable`, `parser_unavailable`.
    """
    routes = Routes(configuration, tuning.listener)
    async with (
        _pool(postgres_dsn) as pool,
        open_parsers(_parse_limits(tuning), clock) as parsers,
    ):
        report_keys, tokens = PostgresReportKeys(pool), PostgresKnownTokens(pool)
        await tokens.remember(routes.configured, clock.now())
        desk = Desk(
            parser=parsers,
            blobs=blobs,
            report_keys=report_keys,
            publish_for=partial(CausedPublish, broker, clock=clock, app_id=SCHEMA),
            clock=clock,
            domains={tenant.id: frozenset(tenant.domains) for tenant in configuration.tenants},
            region=configuration.region,
        )
        async with open_listener(
            partial(receive_mail, desk=desk),
            partial(resolve_recipient, routes=routes, tokens=tokens),
            _listener_limits(tuning),
            clock,
            name=tuning.listener,
            host=tuning.smtp_host,
            port=tuning.smtp_port,
            hostname=tuning.smtp_hostname or min(journal_domains(configuration)),
        ) as listener:
            yield Ingest(
                run=partial(
                    retain, PostgresKeptMail(pool), blobs, Retention.of(configuration), clock
                ),
                checks={
                    "queues": partial(check_queues, broker),
                    "database": report_keys.check,
                    "blobs": blobs.check,
                },
                smtp_port=listener.port,
            )


@asynccontextmanager
async def _pool(postgres_dsn: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(
        postgres_dsn,
        schema=SCHEMA,
        application="undeliver-ingest",
        command_timeout_seconds=ANSWER_SECONDS,
    )
    try:
        await migrate(pool, SQL)
        yield pool
    finally:
        await pool.close()


def _parse_limits(tuning: Tuning) -> ParseLimits:
    return ParseLimits(
        processes=tuning.parse_processes,
        time_limit_seconds=tuning.parse_seconds,
        memory_limit_bytes=tuning.parse_memory_bytes,
    )


def _listener_limits(tuning: Tuning) -> ListenerLimits:
    return ListenerLimits(
        connections=tuning.smtp_connections,
        recipients=tuning.smtp_recipients,
        message_bytes=tuning.smtp_message_bytes,
        memory_bytes=tuning.smtp_memory_bytes,
        large_at_once=tuning.smtp_large_at_once,
        idle_seconds=tuning.smtp_idle_seconds,
        spool_folder=tuning.spool_folder,
    )
