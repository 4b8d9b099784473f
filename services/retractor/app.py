"""Wiring: which adapter stands behind which port."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import asyncpg

from libs.common.authority import Authority
from libs.common.broker.consumer import consume
from libs.common.broker.handling import Handler
from libs.common.broker.inbox import PostgresInbox
from libs.common.broker.port import Broker
from libs.common.broker.readiness import check_queues
from libs.common.broker.topology import RETRACTOR_COMMANDS, RETRACTOR_EVENTS, UNDELIVER
from libs.common.clock import Clock
from libs.common.contracts.mail import MailJournaled
from libs.common.contracts.retraction import CancelRetraction, RestoreRetraction, RetractMail
from libs.common.database.migrations import migrate
from libs.common.database.pool import check_database, pooled
from libs.common.hosting.ground import Ground
from libs.common.hosting.host import host
from libs.common.readiness import Check
from libs.common.runtime import run_together
from libs.common.tenants.current import CurrentConfiguration
from libs.common.tenants.directory import Directory
from libs.common.tenants.model import PublisherRights, Tenant
from libs.common.tenants.secrets import warn_of_missing_secrets
from services.retractor import handlers
from services.retractor.adapters.graph.connections import Endpoints
from services.retractor.adapters.graph.mailboxes import GraphMailboxes
from services.retractor.adapters.postgres.answers import PostgresOutbox
from services.retractor.adapters.postgres.ledger import PostgresLedger
from services.retractor.adapters.postgres.schedule import PostgresDirectoryCache, PostgresSchedule
from services.retractor.handlers.once import Desk, Patience
from services.retractor.ports.mailboxes import Mailboxes
from services.retractor.ports.rules import Rules
from services.retractor.settings import Settings, Tuning
from services.retractor.workers.announcer import announce, forget, tick
from services.retractor.workers.bench import Bench, Pace
from services.retractor.workers.complaints import Complaints
from services.retractor.workers.expiry import expire
from services.retractor.workers.protection import Protection
from services.retractor.workers.visits import Visits

SCHEMA = "retractor"
SQL_PACKAGE = "services.retractor.adapters.sql"
_CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Retractor:
    """The service, ready to run, and what says whether it can work."""

    run: Callable[[], Awaitable[None]]
    checks: Mapping[str, Check]


class ConfiguredRules:
    """See `Rules`. Those of the configuration in force when they are asked for."""

    def __init__(self, configuration: CurrentConfiguration) -> None:
        self._directory = configuration.derived(Directory)
        self._authority = configuration.derived(Authority.of)

    def tenant(self, tenant: str) -> Tenant | None:
        """See `Rules.tenant`."""
        return self._directory().tenant(tenant)

    def rights_of(self, publisher: str) -> PublisherRights | None:
        """See `Rules.rights_of`."""
        return self._authority().rights_of(publisher)


async def run(settings: Settings) -> None:
    """Run the service on its own until cancelled; see `host` for what it waits for.

    Raises:
        ConfigurationError: the configuration is missing or wrong.
        StartError: the probes' port cannot be used.
    """
    await host(SCHEMA, settings, partial(_on, settings=settings))


@asynccontextmanager
async def _on(ground: Ground, settings: Settings) -> AsyncIterator[Retractor]:
    """Give the service on the ground that it stands on."""
    async with (
        ground.broker() as broker,
        retractor(
            broker,
            postgres_dsn=await ground.database(),
            configuration=ground.configuration,
            clock=ground.clock,
            tuning=settings,
        ) as service,
    ):
        yield service


@asynccontextmanager
async def retractor(
    broker: Broker,
    *,
    postgres_dsn: str,
    configuration: CurrentConfiguration,
    clock: Clock,
    tuning: Tuning,
    is_alone: bool = False,
) -> AsyncIterator[Retractor]:
    """Make the tables and give the service; whoever composes it lets it run.

    `is_alone` promises that no other retractor is alive (the embedded mode, by the lock of its data
    folder): mailboxes that a killed process still holds are then free at once, and what has
    failed is tried again at once: the restart may have mended the cause.

    Raises:
        TransientError: `database_unreachable`.
    """
    rules = ConfiguredRules(configuration)
    async with (
        pooled(
            postgres_dsn, schema=SCHEMA, max_size=_CONNECTIONS, application="undeliver-retractor"
        ) as pool,
        AsyncExitStack() as held,
    ):
        mailboxes = GraphMailboxes(rules.tenant, endpoints_of(tuning), clock)
        held.push_async_callback(mailboxes.close)
        await migrate(pool, SQL_PACKAGE)
        inbox = await PostgresInbox.open(pool)
        if is_alone:
            await PostgresSchedule(pool).recover(clock.now())
        bench = bench_of(pool, broker, mailboxes, rules, clock=clock, tuning=tuning)
        loops: dict[str, Callable[[], Awaitable[None]]] = {
            **_loops(broker, bench, inbox, configuration, tuning),
            "credentials": partial(_follow, configuration, mailboxes),
        }
        yield Retractor(
            partial(run_together, loops),
            {"queues": partial(check_queues, broker), "database": partial(check_database, pool)},
        )


async def _follow(configuration: CurrentConfiguration, mailboxes: GraphMailboxes) -> None:
    """Let the connections to Graph be those that the configuration wants."""
    edition = configuration.edition
    while True:
        warn_of_missing_secrets(edition.configuration)
        edition = await edition.successor()
        await mailboxes.retire_outdated()


def endpoints_of(tuning: Tuning) -> Endpoints:
    """Return where Graph is."""
    return Endpoints(
        graph_url=tuning.graph_url,
        authority_url=tuning.authority_url,
        ca_file=tuning.ca_file,
        federated_token_file=tuning.federated_token_file,
        calls_at_once=tuning.graph_calls_at_once,
    )


def bench_of(
    pool: asyncpg.Pool,
    broker: Broker,
    mailboxes: Mailboxes,
    rules: Rules,
    *,
    clock: Clock,
    tuning: Tuning,
) -> Bench:
    """Return what the workers work with."""
    cache = PostgresDirectoryCache(pool)
    pace = Pace(
        mailboxes_at_once=tuning.mailboxes_at_once,
        lease_seconds=tuning.lease_seconds,
        poll_seconds=tuning.poll_seconds,
        late_looks_seconds=tuning.late_looks_seconds,
        max_attempts=tuning.max_attempts,
        give_up_seconds=tuning.give_up_seconds,
    )
    return Bench(
        ledger=PostgresLedger(pool),
        schedule=PostgresSchedule(pool),
        outbox=PostgresOutbox(pool),
        cache=cache,
        mailboxes=mailboxes,
        rules=rules,
        publisher=broker,
        clock=clock,
        protection=Protection(rules, mailboxes, cache, clock, pace.directory_seconds),
        complaints=Complaints(clock),
        pace=pace,
    )


def handlers_of(bench: Bench, tuning: Tuning) -> Mapping[str, Handler]:
    """Return the handler of each message type."""
    desk = Desk(
        ledger=bench.ledger,
        rules=bench.rules,
        clock=bench.clock,
        patience=Patience(
            unknown_message_seconds=tuning.unknown_message_seconds,
            standing_order_seconds=tuning.standing_order_days * 86_400.0,
        ),
        ring=bench.work_bell.ring,
    )
    return {
        MailJournaled.type: partial(handlers.record_mail, desk=desk),
        RetractMail.type: partial(handlers.accept_retraction, desk=desk),
        RestoreRetraction.type: partial(handlers.accept_restore, desk=desk),
        CancelRetraction.type: partial(handlers.accept_cancellation, desk=desk),
    }


def workers_of(bench: Bench) -> dict[str, Callable[[], Awaitable[None]]]:
    """Return the loops that need no queue."""
    return {
        "visits": Visits(bench).run,
        "announcer": partial(announce, bench),
        "expiry": partial(expire, bench),
        "ticks": partial(tick, bench),
        "forgetting": partial(forget, bench),
    }


def _loops(
    broker: Broker,
    bench: Bench,
    inbox: PostgresInbox,
    configuration: CurrentConfiguration,
    tuning: Tuning,
) -> Mapping[str, Callable[[], Awaitable[None]]]:
    loops = workers_of(bench)
    every = handlers_of(bench, tuning)
    for queue in UNDELIVER.queues:
        if queue.name not in (RETRACTOR_COMMANDS, RETRACTOR_EVENTS):
            continue
        loops[queue.name] = partial(
            consume,
            broker,
            queue.name,
            {type_: every[type_] for type_ in queue.types},
            inbox=inbox,
            configuration=configuration,
            topology=UNDELIVER,
            clock=bench.clock,
            service=SCHEMA,
            concurrency=tuning.prefetch,
        )
    return loops
