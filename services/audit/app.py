"""Wiring: which adapter stands behind which port."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from libs.common.authority import Authority
from libs.common.broker.port import Broker
from libs.common.broker.readiness import check_queues
from libs.common.broker.topology import AUDIT_EVENTS
from libs.common.clock import Clock
from libs.common.database.migrations import migrate
from libs.common.database.pool import pooled
from libs.common.hosting.ground import Ground
from libs.common.hosting.host import host
from libs.common.metrics import start_at_zero
from libs.common.readiness import Check
from libs.common.runtime import run_together
from libs.common.tenants.current import CurrentConfiguration
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


async def run(settings: Settings) -> None:
    """Run the service on its own until cancelled; see `host` for what it waits for.

    Raises:
        ConfigurationError: the configuration is missing or wrong.
        StartError: the probes' port cannot be used.
    """
    await host(SCHEMA, settings, _on)


@asynccontextmanager
async def _on(ground: Ground) -> AsyncIterator[Audit]:
    """Give the service on the ground that it stands on."""
    async with (
        ground.broker() as broker,
        audit(
            broker,
            postgres_dsn=await ground.database(),
            configuration=ground.configuration,
            clock=ground.clock,
        ) as service,
    ):
        yield service


@asynccontextmanager
async def audit(
    broker: Broker, *, postgres_dsn: str, configuration: CurrentConfiguration, clock: Clock
) -> AsyncIterator[Audit]:
    """Make the tables and give the service; whoever composes it lets it run.

    Raises:
        TransientError: `database_unreachable`.
    """
    # One connection writes; the others are for probes and readers.
    async with pooled(
        postgres_dsn, schema=SCHEMA, max_size=3, application="undeliver-audit"
    ) as pool:
        await migrate(pool, SQL_PACKAGE)
        archive = PostgresArchive(pool)
        recorder = Recorder(broker, PostgresAuditLog(pool), configuration.derived(_rules), clock)
        for chain, recorded_at in (await archive.ended_at()).items():
            metrics.head_timestamp_seconds.labels(chain).set(recorded_at.timestamp())
        start_at_zero(AUDIT_EVENTS)
        loops: dict[str, Callable[[], Awaitable[None]]] = {
            "recorder": recorder.run,
            "gauges": partial(_show_chains, configuration),
        }
        yield Audit(
            partial(run_together, loops),
            {"queues": partial(check_queues, broker), "log": archive.heads},
        )


def _rules(configuration: Configuration) -> Rules:
    return Rules(
        tenants=frozenset(tenant.id for tenant in configuration.tenants),
        refusal=Authority.of(configuration).refusal,
    )


async def _show_chains(configuration: CurrentConfiguration) -> None:
    """Let the age of every chain's head be seen from the start, not from its next record."""
    metrics.head_timestamp_seconds.labels(NO_TENANT)
    edition = configuration.edition
    while True:
        for tenant in edition.configuration.tenants:
            metrics.head_timestamp_seconds.labels(tenant.id)
        edition = await edition.successor()
