"""Wiring: which adapter stands behind which port."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import asyncpg

from libs.common import logs
from libs.common.blobs.local import open_blobs
from libs.common.blobs.port import Blobs
from libs.common.broker.port import Broker
from libs.common.broker.postgres import PostgresBroker
from libs.common.broker.publishing import CausedPublish
from libs.common.broker.topology import UNDELIVER
from libs.common.clock import Clock, SystemClock
from libs.common.database.migrations import migrate
from libs.common.database.pool import open_pool
from libs.common.errors import ConfigurationError, TransientError
from libs.common.probes import serve_probes
from libs.common.tenants.directory import journal_domains
from libs.common.tenants.loading import load_configuration
from libs.common.tenants.model import Configuration
from services.ingest.adapters.parsers import ParseLimits, open_parsers
from services.ingest.adapters.postgres import SQL, PostgresKnownTokens, PostgresReportKeys
from services.ingest.adapters.smtp import Listener, ListenerLimits, open_listener
from services.ingest.domain.routes import Routes
from services.ingest.handlers import Desk, receive_mail, resolve_recipient
from services.ingest.settings import Settings, Tuning

SERVICE = "ingest"


async def run(settings: Settings) -> None:
    """Take mail in until cancelled.

    Raises:
        StartError: a port is taken, a folder cannot be written.
        ConfigurationError: no valid configuration file.
        TransientError: the database cannot be reached.
    """
    logs.configure(settings.log_level)
    configuration = load_configuration(settings.config)
    if settings.blob_url is None:
        raise ConfigurationError("INGEST_BLOB_URL: is not set; write file:///absolute/folder")
    clock = SystemClock()
    dsn = settings.postgres_dsn.get_secret_value()
    async with (
        open_blobs(settings.blob_url) as blobs,
        PostgresBroker.open(
            dsn,
            topology=UNDELIVER,
            clock=clock,
            publish_timeout_seconds=settings.publish_seconds,
        ) as broker,
        open_ingest(
            settings, configuration, postgres_dsn=dsn, broker=broker, blobs=blobs, clock=clock
        ) as ingest,
        serve_probes(
            {
                "broker": partial(_check_topology, broker),
                "blobs": blobs.check,
                "database": ingest.report_keys.check,
            },
            host=settings.http_host,
            port=settings.http_port,
        ),
    ):
        await asyncio.Event().wait()


@asynccontextmanager
async def open_ingest(
    tuning: Tuning,
    configuration: Configuration,
    *,
    postgres_dsn: str,
    broker: Broker,
    blobs: Blobs,
    clock: Clock,
) -> AsyncIterator["Ingest"]:
    """Take mail in until the context ends, on a broker and a store that are there already.

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
            publish_for=partial(CausedPublish, broker, clock=clock, app_id=SERVICE),
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
            yield Ingest(listener, report_keys)


@dataclass(frozen=True, slots=True)
class Ingest:
    """The running service."""

    listener: Listener
    report_keys: PostgresReportKeys

    @property
    def smtp_port(self) -> int:
        """Where mail comes in."""
        return self.listener.port


@asynccontextmanager
async def _pool(postgres_dsn: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(postgres_dsn, schema=SERVICE, application=SERVICE)
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


async def _check_topology(broker: Broker) -> None:
    """Return if every queue is there that our messages go to.

    Raises:
        TransientError: `no_queue`, `broker_unreachable`.
    """
    if missing := await broker.missing():
        raise TransientError("no_queue", ", ".join(missing))
