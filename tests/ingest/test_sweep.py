"""Raw mail that no entry names is deleted, and nothing else."""

import asyncio
import os
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest
import pytest_asyncio
import structlog
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from libs.common.blobs.keys import blob_key
from libs.common.blobs.local import open_local_blobs
from libs.common.clock import SystemClock
from libs.common.database.migrations import migrate
from libs.common.database.pool import open_pool
from libs.common.errors import TransientError
from services.ingest.adapters.postgres import (
    SQL,
    PostgresBlobBook,
    PostgresKeptMail,
    PostgresReportKeys,
)
from services.ingest.domain import sweeping
from services.ingest.workers.sweep import sweep, sweep_once
from tests.contracts.blob_book import BlobBookContract
from tests.contracts.report_keys import ENTRY
from tests.fakes.blob_book import FakeBlobBook
from tests.fakes.blobs import FakeBlobs
from tests.fakes.kept_mail import FakeKeptMail
from tests.fakes.report_keys import FakeReportKeys

HOUR = 3600.0
DAY = 24 * HOUR


class TestFakeBlobBook(BlobBookContract):
    @pytest.fixture
    def report_keys(self):
        return FakeReportKeys()

    @pytest.fixture
    def kept_mail(self, report_keys):
        return FakeKeptMail(report_keys)

    @pytest.fixture
    def blob_book(self, report_keys, kept_mail):
        return FakeBlobBook(report_keys, kept_mail, SystemClock())


@pytest_asyncio.fixture
async def pool(database):
    pool = await open_pool(database.dsn_for("ingest"), schema="ingest")
    await migrate(pool, SQL)
    yield pool
    await pool.close()


class TestPostgresBlobBook(BlobBookContract):
    @pytest.fixture
    def report_keys(self, pool):
        return PostgresReportKeys(pool)

    @pytest.fixture
    def kept_mail(self, pool):
        return PostgresKeptMail(pool)

    @pytest.fixture
    def blob_book(self, pool):
        return PostgresBlobBook(pool)


class Site:
    """A store, its book, and the loop that compares them."""

    def __init__(self, clock):
        self.clock = clock
        self.blobs = FakeBlobs(clock)
        self.report_keys = FakeReportKeys()
        self.kept = FakeKeptMail(self.report_keys)
        self.book = FakeBlobBook(self.report_keys, self.kept, clock)

    async def store(self, content, tenant="acme", at=None):
        """Store mail without an entry, as a crash leaves it."""
        key = blob_key(tenant, at or self.clock.now(), sha256(content).hexdigest())
        await self.blobs.put(key, content)
        return key

    async def enter(self, key):
        """Write the entry of stored mail."""
        reception = replace(ENTRY.reception, store_key=key, received_at=self.clock.now())
        await self.report_keys.enter(replace(ENTRY, report_key=key, reception=reception))

    async def take(self, count=1, tenant="acme"):
        """Take in mail as ever."""
        keys = [await self.store(f"kept {number}".encode(), tenant) for number in range(count)]
        for key in keys:
            await self.enter(key)
        return set(keys)

    async def sweep(self, at_most=None):
        await sweep_once(self.book, self.blobs, self.clock, orphans_at_most=at_most)

    @asynccontextmanager
    async def swept(self):
        async with asyncio.TaskGroup() as group:
            loop = group.create_task(sweep(self.book, self.blobs, self.clock, orphans_at_most=None))
            await self.clock.advance(0)
            yield
            loop.cancel()


@pytest.fixture
def site(clock):
    return Site(clock)


@pytest.fixture
def all_logged(own_logging):
    """Let `capture_logs` see every level, whatever another test has configured."""
    structlog.reset_defaults()


def metric(name, **labels):
    return REGISTRY.get_sample_value(f"undeliver_ingest_{name}", labels)


async def test_what_a_crash_left_is_deleted_and_what_was_entered_stays(site, clock, all_logged):
    kept = await site.take(3) | await site.take(1, tenant=None)
    await site.store(b"orphan")
    await site.store(b"orphan", tenant=None)
    deleted = metric("orphans_deleted_total")
    await clock.advance(3 * DAY)
    with capture_logs() as logs:
        await site.sweep()

    assert set(site.blobs.contents) == kept
    assert metric("orphans") == 2
    assert metric("orphans_deleted_total") - deleted == 2
    (line,) = logs
    assert line["event"] == "orphans_swept"
    assert (line["orphans"], line["deleted"], line["stored"]) == (2, 2, 6)


async def test_mail_is_looked_at_two_days_after_its_day_and_not_before(site, clock):
    """The clock begins at nine in the morning; the day ends 15 hours later."""
    await site.take()
    orphan = await site.store(b"orphan")
    await clock.advance(2 * DAY + 14 * HOUR)
    await site.sweep()
    assert orphan in site.blobs.contents
    await clock.advance(2 * HOUR)
    await site.sweep()

    assert orphan not in site.blobs.contents


async def test_mail_on_its_way_under_an_old_day_is_left_alone(site, clock):
    """A replica's clock goes wrong: what it stores now looks a week old, and is entered in time."""
    await site.take()
    young = await site.store(b"young", at=clock.now() - timedelta(days=7))
    await site.sweep()
    await site.enter(young)
    await clock.advance(3 * DAY)
    await site.sweep()

    assert young in site.blobs.contents


async def test_a_clock_that_is_ahead_deletes_nothing_early(site, clock):
    await site.take()
    orphan = await site.store(b"orphan")

    class Ahead:
        def now(self):
            return clock.now() + timedelta(days=30)

    await sweep_once(site.book, site.blobs, Ahead(), orphans_at_most=None)

    assert orphan in site.blobs.contents


async def test_a_young_blob_has_its_day_looked_at_again(site, clock):
    await site.take()
    young = await site.store(b"young", at=clock.now() - timedelta(days=7))
    await site.sweep()
    await clock.advance(3 * DAY)
    await site.sweep()

    assert young not in site.blobs.contents


async def test_a_day_that_was_swept_is_not_listed_again(site, clock, monkeypatch):
    await site.take()
    await site.store(b"orphan")
    await clock.advance(3 * DAY)
    await site.sweep()
    listed, stored = [], site.blobs.stored

    def noting(day):
        listed.append(day)
        return stored(day)

    monkeypatch.setattr(site.blobs, "stored", noting)
    later = await site.store(b"another")
    await clock.advance(3 * DAY)
    await site.sweep()

    assert listed == [later.rpartition("/")[0]]


async def test_an_empty_book_deletes_nothing(site, clock, all_logged):
    """The wrong database, or a new one."""
    for number in range(5):
        await site.store(str(number).encode())
    refused = metric("sweeps_total", outcome="refused")
    await clock.advance(3 * DAY)
    with capture_logs() as logs:
        await site.sweep(at_most=100_000)

    assert len(site.blobs.contents) == 5
    assert metric("sweeps_total", outcome="refused") - refused == 1
    (line,) = logs
    assert (line["log_level"], line["event"], line["reason"]) == (
        "error",
        "orphans_spared",
        "book_empty",
    )


async def test_a_book_that_knows_little_of_what_is_stored_deletes_nothing(site, clock, all_logged):
    """A restored backup lacks the last days; or two deployments share a store."""
    await site.take(300)
    for number in range(11):
        await site.store(str(number).encode())
    await clock.advance(3 * DAY)
    with capture_logs() as logs:
        await site.sweep()
        await site.sweep()

    assert len(site.blobs.contents) == 311
    assert [(line["event"], line["reason"], line["orphans"]) for line in logs] == [
        ("orphans_spared", "too_many", 11)
    ] * 2


async def test_an_operator_who_has_looked_may_say_how_many(site, clock):
    kept = await site.take(5)
    for number in range(40):
        await site.store(str(number).encode())
    await clock.advance(3 * DAY)

    await site.sweep(at_most=39)
    assert len(site.blobs.contents) == 45
    await site.sweep(at_most=40)
    assert set(site.blobs.contents) == kept


async def test_none_at_most_only_counts(site, clock):
    await site.take(5)
    await site.store(b"orphan")
    await clock.advance(3 * DAY)

    await site.sweep(at_most=0)

    assert len(site.blobs.contents) == 6
    assert metric("orphans") == 1


async def test_a_large_store_may_have_one_orphan_in_a_hundred(site, clock):
    kept = await site.take(1500)
    for number in range(15):
        await site.store(str(number).encode())
    await clock.advance(3 * DAY)
    await site.sweep()

    assert set(site.blobs.contents) == kept


async def test_more_than_can_be_remembered_are_counted_and_kept(site, clock, monkeypatch):
    monkeypatch.setattr(sweeping, "_MOST", 3)
    await site.take()
    for number in range(5):
        await site.store(str(number).encode())
    await clock.advance(3 * DAY)
    await site.sweep(at_most=100_000)

    assert metric("orphans") == 5
    assert len(site.blobs.contents) == 6


async def test_a_database_that_does_not_answer_deletes_nothing(site, clock, all_logged):
    await site.take()
    await site.store(b"orphan")
    await clock.advance(3 * DAY)
    failed = metric("sweeps_total", outcome="failed")
    site.book.broken = TransientError("database_unreachable")
    with capture_logs() as logs:
        async with site.swept():
            assert len(site.blobs.contents) == 2
            site.book.broken = None
            await clock.advance(DAY)
            assert len(site.blobs.contents) == 1

    assert metric("sweeps_total", outcome="failed") - failed == 1
    assert [line["event"] for line in logs] == ["orphans_not_swept", "orphans_swept"]


async def test_a_database_that_goes_away_half_way_deletes_nothing(site, clock, monkeypatch):
    await site.take()
    for tenant in ("acme", "globex"):
        await site.store(b"orphan", tenant)
    await clock.advance(3 * DAY)
    answers, unknown = iter([True, False]), site.book.unknown

    async def failing(keys):
        if not next(answers):
            raise TransientError("database_unreachable")
        return await unknown(keys)

    monkeypatch.setattr(site.book, "unknown", failing)
    with pytest.raises(TransientError, match="database_unreachable"):
        await site.sweep()

    assert len(site.blobs.contents) == 3
    assert site.book.swept == set()


async def test_what_cannot_be_deleted_is_found_again(site, clock, monkeypatch):
    await site.take()
    await site.store(b"orphan")
    await site.store(b"another", "globex")
    await clock.advance(3 * DAY)
    delete = site.blobs.delete

    async def failing(key):
        if key.startswith("acme/"):
            raise TransientError("blob_store_unavailable")
        await delete(key)

    monkeypatch.setattr(site.blobs, "delete", failing)
    await site.sweep()
    assert len(site.blobs.contents) == 2
    monkeypatch.setattr(site.blobs, "delete", delete)
    await site.sweep()

    assert len(site.blobs.contents) == 1


async def test_two_replicas_sweep_a_folder_at_once(pool, tmp_path):
    """With the real book and a real folder; only the days are old."""
    clock, keys = SystemClock(), []
    long_ago = clock.now() - timedelta(days=10)
    async with open_local_blobs(tmp_path) as blobs:
        for number in range(20):
            content = str(number).encode()
            keys.append(blob_key("acme", long_ago, sha256(content).hexdigest()))
            await blobs.put(keys[-1], content)
            if number >= 8:
                reception = replace(ENTRY.reception, store_key=keys[-1])
                await PostgresReportKeys(pool).enter(
                    replace(ENTRY, report_key=keys[-1], reception=reception)
                )
        for path in tmp_path.rglob("*"):
            if path.is_file():
                os.utime(path, (long_ago.timestamp(), long_ago.timestamp()))
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(
                    sweep_once(PostgresBlobBook(pool), blobs, clock, orphans_at_most=None)
                )

    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {
        key.rpartition("/")[2] for key in keys[8:]
    }
    assert list(await PostgresBlobBook(pool).unswept([keys[0].rpartition("/")[0]])) == []
