"""Wiring: which adapter stands behind which port."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import asyncpg

from libs.common.authority import Authority
from libs.common.broker.consumer import consume
from libs.common.broker.handling import Handler
from libs.common.broker.inbox import PostgresInbox
from libs.common.broker.port import Broker
from libs.common.broker.postgres.broker import PostgresBroker
from libs.common.broker.readiness import check_queues
from libs.common.broker.topology import RETRACTOR_COMMANDS, RETRACTOR_EVENTS, UNDELIVER
from libs.common.clock import Clock, SystemClock
from libs.common.contracts.mail import MailJournaled
from libs.common.contracts.retraction import CancelRetraction, RestoreRetraction, RetractMail
from libs.common.database.migrations import migrate
from libs.common.database.pool import open_pool
from libs.common.probes import serve_probes
from libs.common.readiness import Check
from libs.common.runtime import run_together
from libs.common.tenants.directory import Directory
from libs.common.tenants.loading import load_configuration
from libs.common.tenants.model import Configuration, PublisherRights, Tenant
from libs.common.tenants.secrets import warn_of_missing_secrets
from services.retractor import handlers
from services.retractor.adapters.graph.mailboxes import Endpoints, GraphMailboxes
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
    """See `Rules`."""

    def __init__(self, configuration: Configuration) -> None:
        self._directory = Directory(configuration)
        self._authority = Authority.of(configuration)

    def tenant(self, tenant: str) -> Tenant | None:
        """See `Rules.tenant`."""
        return self._directory.tenant(tenant)

    def rights_of(self, publisher: str) -> PublisherRights | None:
        """See `Rules.rights_of`."""
        return self._authority.rights_of(publisher)


async def run(settings: Settings) -> None:
    """Run the service on its own until cancelled.

    Raises:
        ConfigurationError: the configuration is missing or wrong.
        StartError: the probes' port cannot be used.
        TransientError: the database does not answer at the start.
    """
    configuration = load_configuration(settings.config)
    dsn, clock = settings.postgres_dsn.get_secret_value(), SystemClock()
    async with (
        PostgresBroker.open(dsn, topology=UNDELIVER, clock=clock) as broker,
        retractor(
            broker, postgres_dsn=dsn, configuration=configuration, clock=clock, tuning=settings
        ) as service,
        serve_probes(service.checks, host=settings.http_host, port=settings.http_port),
    ):
        await service.run()


@asynccontextmanager
async def retractor(
    broker: Broker,
    *,
    postgres_dsn: str,
    configuration: Configuration,
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
    warn_of_missing_secrets(configuration)
    rules = ConfiguredRules(configuration)
    mailboxes = GraphMailboxes(rules.tenant, endpoints_of(tuning), clock)
    pool = await open_pool(
        postgres_dsn, schema=SCHEMA, max_size=_CONNECTIONS, application="undeliver-retractor"
    )
    try:
        await migrate(pool, SQL_PACKAGE)
        inbox = await PostgresInbox.open(pool)
        if is_alone:
            await PostgresSchedule(pool).recover(clock.now())
        bench = bench_of(pool, broker, mailboxes, rules, clock=clock, tuning=tuning)
        loops = _loops(broker, bench, inbox, Authority.of(configuration), tuning)
        yield Retractor(partial(run_together, loops), {"queues": partial(check_queues, broker)})
    finally:
        await mailboxes.close()
        await pool.close()


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
    broker: Broker, bench: Bench, inbox: PostgresInbox, authority: Authority, tuning: Tuning
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
            authority=authority,
            topology=UNDELIVER,
            clock=bench.clock,
            service=SCHEMA,
            concurrency=tuning.prefetch,
        )
    return loops
