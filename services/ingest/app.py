"""Wiring: which adapter stands behind which port."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import asyncpg

from libs.common.blobs.port import BlobStore
from libs.common.broker.beside import beside
from libs.common.broker.port import Broker
from libs.common.broker.publishing import CausedPublish
from libs.common.broker.readiness import check_queues
from libs.common.clock import Clock
from libs.common.database.migrations import migrate
from libs.common.database.pool import pooled
from libs.common.hosting.ground import Ground
from libs.common.hosting.host import host
from libs.common.readiness import Check
from libs.common.runtime import run_together
from libs.common.tenants.current import CurrentConfiguration
from libs.common.tenants.directory import journal_domains
from libs.common.tenants.model import Configuration
from services.ingest.adapters.parsers import ParseLimits, open_parsers
from services.ingest.adapters.postgres import (
    ANSWER_SECONDS,
    SQL,
    PostgresBlobBook,
    PostgresKeptMail,
    PostgresKnownTokens,
    PostgresReportKeys,
)
from services.ingest.adapters.smtp import (
    CertificateFiles,
    Listener,
    ListenerLimits,
    ServerCertificate,
    Tls,
    check_pair,
    open_listener,
)
from services.ingest.domain.retention import Retention
from services.ingest.domain.routes import Routes
from services.ingest.domain.tenancy import Tenancy
from services.ingest.handlers import CurrentRoutes, Desk, receive_mail, resolve_recipient
from services.ingest.settings import Settings, Tuning
from services.ingest.workers.retention import retain
from services.ingest.workers.sweep import sweep
from services.ingest.workers.tokens import remember_tokens

SCHEMA = "ingest"
#: What has arrived whole when the process is told to stop is kept and answered first.
_DRAIN_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Ingest:
    """The service, taking mail in while its context lasts, and what says whether it can work."""

    run: Callable[[], Awaitable[None]]
    checks: Mapping[str, Check]
    smtp_port: int


async def run(settings: Settings) -> None:
    """Run the service on its own until cancelled; see `host` for what it waits for.

    The door opens once everything stands: until then a client finds no connection, and comes again.
    What is lost later, it hears 451 for.

    Raises:
        ConfigurationError: the configuration or the certificate is missing or wrong.
        StartError: a port is taken, a folder cannot be written.
    """
    await host(SCHEMA, settings, partial(_on, settings=settings))


@asynccontextmanager
async def _on(ground: Ground, settings: Settings) -> AsyncIterator[Ingest]:
    """Give the service on the ground that it stands on."""
    if settings.tls != "off" and (files := _certificate_files(settings)) is not None:
        check_pair(files)  # what is wrong with it is told before any waiting
    async with (
        ground.blobs(settings.blob_url) as blobs,
        ground.broker(publish_timeout_seconds=settings.publish_seconds) as broker,
        ingest(
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
async def ingest(
    broker: Broker,
    *,
    postgres_dsn: str,
    blobs: BlobStore,
    configuration: CurrentConfiguration,
    clock: Clock,
    tuning: Tuning,
) -> AsyncIterator[Ingest]:
    """Make the tables, open the door, and give the service; whoever composes it lets it run.

    On leaving, messages that have arrived whole are kept and answered first.

    Raises:
        ConfigurationError: the certificate cannot be used.
        StartError: the port is taken, or not ours to take.
        TransientError: `database_unreachable`, `parser_unavailable`.
    """
    async with (
        _tables(postgres_dsn) as pool,
        open_parsers(_parse_limits(tuning), clock) as parsers,
    ):
        report_keys = PostgresReportKeys(pool)
        routes = CurrentRoutes(
            configuration.derived(partial(Routes, listener=tuning.listener)),
            PostgresKnownTokens(pool),
            clock,
        )
        await routes.now()
        desk = Desk(
            parser=parsers,
            blobs=blobs,
            report_keys=report_keys,
            publish_for=partial(CausedPublish, broker, clock=clock, app_id=SCHEMA),
            clock=clock,
            tenancy=configuration.derived(Tenancy.of),
        )
        retention = configuration.derived(Retention.of)
        retaining = partial(retain, PostgresKeptMail(pool), blobs, retention, clock)
        sweeping = partial(
            sweep,
            PostgresBlobBook(pool),
            blobs,
            clock,
            orphans_at_most=tuning.sweep_orphans_at_most,
        )
        async with (
            _door(desk, routes, configuration, clock, tuning) as listener,
            beside(remember_tokens(routes.now, configuration, clock)),
        ):
            yield Ingest(
                run=partial(run_together, {"retention": retaining, "sweep": sweeping}),
                checks={
                    "queues": partial(check_queues, broker),
                    "database": report_keys.check,
                    "blobs": blobs.check,
                },
                smtp_port=listener.port,
            )


@asynccontextmanager
async def _door(
    desk: Desk,
    routes: CurrentRoutes,
    configuration: CurrentConfiguration,
    clock: Clock,
    tuning: Tuning,
) -> AsyncIterator[Listener]:
    """Open the port, encrypted as the settings say."""
    async with AsyncExitStack() as held:
        tls = None
        if (files := _certificate_files(tuning)) is not None:
            certificate = ServerCertificate(files, clock)
            await held.enter_async_context(beside(certificate.watch()))
            tls = Tls(certificate, is_required=tuning.tls == "required")
        yield await held.enter_async_context(
            open_listener(
                partial(receive_mail, desk=desk),
                partial(resolve_recipient, routes=routes),
                _listener_limits(tuning),
                clock,
                name=tuning.listener,
                host=tuning.smtp_host,
                port=tuning.smtp_port,
                hostname=configuration.derived(partial(_hostname, tuning)),
                tls=tls,
            )
        )


@asynccontextmanager
async def _tables(postgres_dsn: str) -> AsyncIterator[asyncpg.Pool]:
    async with pooled(
        postgres_dsn,
        schema=SCHEMA,
        application="undeliver-ingest",
        command_timeout_seconds=ANSWER_SECONDS,
        stop_seconds=_DRAIN_SECONDS,
    ) as pool:
        await migrate(pool, SQL)
        yield pool


def _hostname(tuning: Tuning, configuration: Configuration) -> str:
    return tuning.smtp_hostname or min(journal_domains(configuration))


def _certificate_files(tuning: Tuning) -> CertificateFiles | None:
    return CertificateFiles.named(tuning.tls, tuning.tls_certificate, tuning.tls_key)


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
        handshake_seconds=tuning.tls_handshake_seconds,
        spool_folder=tuning.spool_folder,
    )
