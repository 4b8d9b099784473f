"""Wiring: which adapter stands behind which port."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import asyncpg

from libs.common.authority import Authority
from libs.common.broker.port import Broker
from libs.common.broker.postgres.broker import PostgresBroker
from libs.common.broker.readiness import check_queues
from libs.common.broker.topology import AUDIT_EVENTS, UNDELIVER
from libs.common.clock import Clock, SystemClock
from libs.common.database.migrations import migrate
from libs.common.database.pool import open_pool
from libs.common.metrics import start_at_zero
from libs.common.probes import serve_probes
from libs.common.readiness import Check
from libs.common.tenants.loading import load_configuration
from libs.common.tenants.model import Configuration
from services.audit import metrics
from services.audit.adapters.postgres.reading import PostgresArchive
from services.audit.adapters.postgres.recording import SQL_PACKAGE, PostgresAuditLog
from services.audit.domain.record import NO_TENANT
from services.audit.domain.testimony import Rules
from services.audit.settings import Settings
from services.audit.workers.recorder import Recorder

SCHEMA = "audit"


@dataclass(frozen=True, slots=True)
class Audit:
    """The service, ready to run, and what says whether it can work."""

    run: Callable[[], Awaitable[None]]
    checks: Mapping[str, Check]


async def run(settings: Settings, config: Path | None) -> None:
    """Run the service on its own until cancelled, by the configuration in a file.

    Raises:
        ConfigurationError: the configuration is missing or wrong.
        TransientError: the database does not answer at the start.
    """
    configuration = load_configuration(config)
    dsn, clock = settings.postgres_dsn.get_secret_value(), SystemClock()
    async with (
        PostgresBroker.open(dsn, topology=UNDELIVER, clock=clock) as broker,
        audit(broker, postgres_dsn=dsn, configuration=configuration, clock=clock) as service,
        serve_probes(service.checks, host=settings.http_host, port=settings.http_port),
    ):
        await service.run()


@asynccontextmanager
async def audit(
    broker: Broker, *, postgres_dsn: str, configuration: Configuration, clock: Clock
) -> AsyncIterator[Audit]:
    """Make the tables and give the service; whoever composes it lets it run.

    Raises:
        TransientError: `database_unreachable`.
    """
    async with _pool(postgres_dsn) as pool:
        await migrate(pool, SQL_PACKAGE)
        archive = PostgresArchive(pool)
        rules = Rules(
            tenants=frozenset(tenant.id for tenant in configuration.tenants),
            refusal=Authority.of(configuration).refusal,
        )
        recorder = Recorder(broker, PostgresAuditLog(pool), rules, clock)
        await _start_gauges(archive, rules)
        start_at_zero(AUDIT_EVENTS)
        yield Audit(recorder.run, {"queues": partial(check_queues, broker), "log": archive.heads})


@asynccontextmanager
async def _pool(dsn: str) -> AsyncIterator[asyncpg.Pool]:
    # One connection writes; the others are for probes and readers.
    pool = await open_pool(dsn, schema=SCHEMA, max_size=3, application="undeliver-audit")
    try:
        yield pool
    finally:
        await pool.close()


async def _start_gauges(archive: PostgresArchive, rules: Rules) -> None:
    """Let the age of every chain's head be seen from the start, not from its next record."""
    for chain in (NO_TENANT, *rules.tenants):
        metrics.head_timestamp_seconds.labels(chain)
    for chain, recorded_at in (await archive.ended_at()).items():
        metrics.head_timestamp_seconds.labels(chain).set(recorded_at.timestamp())
