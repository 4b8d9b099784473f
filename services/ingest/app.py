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
from libs.common.tenants.loading import load_configuration
from libs.common.tenants.model import Configuration
from services.ingest.adapters.parsers import ParseLimits, open_parsers
from services.ingest.adapters.postgres import SQL, PostgresReportKeys
from services.ingest.adapters.smtp import Listener, ListenerLimits, open_listener
from services.ingest.domain.routes import Routes
from services.ingest.handlers import Desk, receive_mail
from services.ingest.settings import Settings

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
        open_ingest(settings, configuration, broker=broker, blobs=blobs, clock=clock) as ingest,
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
    settings: Settings,
    configuration: Configuration,
    *,
    broker: Broker,
    blobs: Blobs,
    clock: Clock,
) -> AsyncIterator["Ingest"]:
    """Take mail in until the context ends, on a broker and a store that are there already.

    On leaving, messages that have arrived whole are kept and answered first. Of the settings it
    uses the database, the listener's and the parser's, not `blob_url`, `http_port` or `config`.

    Raises:
        StartError: the port is taken, or not ours to take.
        TransientError: `database_unreachable`, `parser_unavailable`.
    """
    routes = Routes.of(configuration, settings.listener)
    async with (
        _report_keys(settings) as report_keys,
        open_parsers(_parse_limits(settings), clock) as parsers,
    ):
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
            routes,
            _listener_limits(settings),
            clock,
            name=settings.listener,
            host=settings.smtp_host,
            port=settings.smtp_port,
            hostname=settings.smtp_hostname or min(routes.journal_domains),
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
async def _report_keys(settings: Settings) -> AsyncIterator[PostgresReportKeys]:
    pool: asyncpg.Pool = await open_pool(
        settings.postgres_dsn.get_secret_value(), schema=SERVICE, application=SERVICE
    )
    try:
        await migrate(pool, SQL)
        yield PostgresReportKeys(pool)
    finally:
        await pool.close()


def _parse_limits(settings: Settings) -> ParseLimits:
    return ParseLimits(
        processes=settings.parse_processes,
        time_limit_seconds=settings.parse_seconds,
        memory_limit_bytes=settings.parse_memory_bytes,
    )


def _listener_limits(settings: Settings) -> ListenerLimits:
    return ListenerLimits(
        connections=settings.smtp_connections,
        recipients=settings.smtp_recipients,
        message_bytes=settings.smtp_message_bytes,
        memory_bytes=settings.smtp_memory_bytes,
        large_at_once=settings.smtp_large_at_once,
        idle_seconds=settings.smtp_idle_seconds,
        spool_folder=settings.spool_folder,
    )


async def _check_topology(broker: Broker) -> None:
    """Return if every queue is there that our messages go to.

    Raises:
        TransientError: `no_queue`, `broker_unreachable`.
    """
    if missing := await broker.missing():
        raise TransientError("no_queue", ", ".join(missing))
