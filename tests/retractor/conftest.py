"""Simulated Microsoft 365, a real ledger, and the retractor between them."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import asyncpg
import pytest

from libs.common.clock import SystemClock
from libs.common.database.migrations import migrate
from libs.common.database.pool import open_pool
from libs.graph_simulator.seed import ApplicationSeed, MailboxSeed, Seed, TenantSeed
from libs.graph_simulator.server import Simulator, serve
from services.retractor.adapters.graph.mailboxes import GraphMailboxes
from services.retractor.app import SCHEMA, SQL_PACKAGE, ConfiguredRules, bench_of, endpoints_of
from services.retractor.settings import Tuning
from tests.fakes.clock import FakeClock
from tests.fakes.mailboxes import FakeMailboxes
from tests.retractor.rig import TENANT, Published, Rig, in_force
from tests.services.databases import Database

PEOPLE = ("ann", "bob", "cat", "dan")
FAST = {
    "late_looks_seconds": (0.05, 0.1),
    "poll_seconds": 0.05,
    "max_attempts": 4,
    "give_up_seconds": 0.0,
}
FAST_PACE = {"backoff_seconds": 0.02, "max_backoff_seconds": 0.1}


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    mailboxes = tuple(
        MailboxSeed(address=f"{name}@acme.example", aliases=(f"{name}.alias@acme.example",))
        for name in PEOPLE
    )
    tenant = TenantSeed(
        id="11111111-2222-4333-8444-555555555555",
        domains=("acme.example",),
        apps=(ApplicationSeed(client_id="client", client_secret="s3cret"),),
        mailboxes=mailboxes,
    )
    async with serve(Seed(tenants=(tenant,))) as running:
        yield running


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database.dsn_for("retractor"), schema=SCHEMA)
    await migrate(pool, SQL_PACKAGE)
    yield pool
    await pool.close()


@pytest.fixture
async def make_rig(
    pool: asyncpg.Pool, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[..., Rig]]:
    """Make a retractor with a tenant's settings; the workers start with `rig.start()`."""
    monkeypatch.setenv("RIG_SECRET", "s3cret")
    async with AsyncExitStack() as stack:

        def make(published: Published | None = None, **tenant: object) -> Rig:
            tuning = Tuning(
                graph_url=simulator.graph_url,
                authority_url=simulator.authority_url,
                ca_file=simulator.ca_file,
                **FAST,
            )
            rules, clock = ConfiguredRules(in_force(**tenant)), SystemClock()
            mailboxes = GraphMailboxes(rules.tenant, endpoints_of(tuning), clock)
            stack.push_async_callback(mailboxes.close)
            published = published or Published()
            bench = bench_of(pool, published, mailboxes, rules, clock=clock, tuning=tuning)
            bench = replace(bench, pace=replace(bench.pace, **FAST_PACE))
            rig = Rig(bench, published, tuning)
            stack.push_async_callback(rig.stop)
            return rig

        yield make


@pytest.fixture
async def rig(make_rig: Callable[..., Rig]) -> Rig:
    """Give a retractor whose workers run."""
    rig = make_rig()
    rig.start()
    return rig


@pytest.fixture
def office() -> FakeMailboxes:
    """Give mailboxes in memory, in which a test decides what happens when."""
    mailboxes = FakeMailboxes()
    for name in PEOPLE:
        mailboxes.add(TENANT, f"{name}@acme.example")
    return mailboxes


@pytest.fixture
async def inside(pool: asyncpg.Pool, office: FakeMailboxes) -> AsyncIterator[Rig]:
    """Give a retractor on mailboxes in memory; the workers start with `rig.start()`."""
    tuning, published, clock = Tuning(**FAST), Published(), SystemClock()
    rules = ConfiguredRules(in_force())
    bench = bench_of(pool, published, office, rules, clock=clock, tuning=tuning)
    bench = replace(bench, pace=replace(bench.pace, **FAST_PACE))
    rig = Rig(bench, published, tuning)
    yield rig
    await rig.stop()


@pytest.fixture
def still(pool: asyncpg.Pool, clock: FakeClock, office: FakeMailboxes) -> Rig:
    """Give a retractor whose time only the test moves."""
    tuning, published = Tuning(), Published()
    rules = ConfiguredRules(in_force())
    bench = bench_of(pool, published, office, rules, clock=clock, tuning=tuning)
    return Rig(bench, published, tuning)


@pytest.fixture
def folders(simulator: Simulator) -> Callable[[str], dict[str, str]]:
    """Tell where the copies of a message are, as the mailboxes have it."""

    def where(internet_message_id: str) -> dict[str, str]:
        copies = simulator.admin.copies(internet_message_id=internet_message_id)
        return {copy.mailbox.partition("@")[0]: copy.folder for copy in copies}

    return where
