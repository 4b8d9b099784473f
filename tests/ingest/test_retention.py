"""Raw mail is kept for as long as its tenant says, and no longer."""

import asyncio
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
from libs.common.database.migrations import migrate
from libs.common.database.pool import open_pool
from libs.common.errors import TransientError
from services.ingest.adapters.postgres import SQL, PostgresKeptMail, PostgresReportKeys
from services.ingest.domain.reception import Entry, Reception
from services.ingest.domain.retention import Retention
from services.ingest.workers import retention as worker
from services.ingest.workers.retention import retain
from tests.contracts.kept_mail import KeptMailContract
from tests.fakes.blobs import FakeBlobs
from tests.fakes.kept_mail import FakeKeptMail
from tests.fakes.report_keys import FakeReportKeys

HOUR = 3600.0
DAY = 24 * HOUR
RETENTION = Retention({"acme": timedelta(days=30), "globex": timedelta(days=2)})


class TestFakeKeptMail(KeptMailContract):
    @pytest.fixture
    def report_keys(self):
        return FakeReportKeys()

    @pytest.fixture
    def kept_mail(self, report_keys):
        return FakeKeptMail(report_keys)


@pytest_asyncio.fixture
async def pool(database):
    pool = await open_pool(database.dsn_for("ingest"), schema="ingest")
    await migrate(pool, SQL)
    yield pool
    await pool.close()


class TestPostgresKeptMail(KeptMailContract):
    @pytest.fixture
    def report_keys(self, pool):
        return PostgresReportKeys(pool)

    @pytest.fixture
    def kept_mail(self, pool):
        return PostgresKeptMail(pool)


class Store:
    """What is kept, and the loop that deletes it."""

    def __init__(self, clock):
        self.clock = clock
        self.blobs = FakeBlobs()
        self.report_keys = FakeReportKeys()
        self.kept = FakeKeptMail(self.report_keys)
        self.retention = RETENTION

    async def take(self, tenant, content=b"mail"):
        """Take in one mail now; return where it is kept."""
        at, digest = self.clock.now(), sha256(content).hexdigest()
        key = blob_key(tenant, at, digest)
        await self.blobs.put(key, content)
        reception = Reception("default", "", False, "", key, digest, len(content), 0, at)
        await self.report_keys.enter(Entry(key, tenant, digest, "", reception, at))
        return key

    @asynccontextmanager
    async def watched(self):
        async with asyncio.TaskGroup() as group:
            loop = group.create_task(
                retain(self.kept, self.blobs, lambda: self.retention, self.clock)
            )
            await self.clock.advance(0)
            yield
            loop.cancel()


@pytest.fixture
def store(clock):
    return Store(clock)


@pytest.fixture
def all_logged(own_logging):
    """Let `capture_logs` see every level, whatever another test has configured."""
    structlog.reset_defaults()


def counted(name):
    return REGISTRY.get_sample_value(f"undeliver_ingest_{name}_total")


def gauge(name):
    return REGISTRY.get_sample_value(f"undeliver_ingest_{name}")


async def test_mail_is_deleted_within_an_hour_after_its_time(store, clock):
    key = await store.take("globex")
    async with store.watched():
        await clock.advance(2 * DAY)
        assert key in store.blobs.contents

        await clock.advance(HOUR)
        assert store.blobs.contents == {}


async def test_each_tenants_mail_has_its_own_time_and_what_is_nobodys_the_longest(store, clock):
    acme, nobodys, former = [await store.take(each) for each in ("acme", None, "left-us")]
    await store.take("globex")
    async with store.watched():
        await clock.advance(30 * DAY)
        assert set(store.blobs.contents) == {acme, nobodys, former}

        await clock.advance(HOUR)
        assert store.blobs.contents == {}


async def test_more_than_fits_one_batch_goes_at_once(store, clock, monkeypatch, all_logged):
    monkeypatch.setattr(worker, "_AT_ONCE", 3)
    before = counted("raw_mails_deleted")
    for number in range(10):
        await store.take("globex", str(number).encode())
    await clock.advance(3 * DAY)
    with capture_logs() as logs:
        async with store.watched():
            assert store.blobs.contents == {}

    assert counted("raw_mails_deleted") - before == 10
    (event,) = [log for log in logs if log["event"] == "raw_mail_deleted"]
    assert (event["tenant"], event["mails"]) == ("globex", 10)


async def test_what_cannot_be_deleted_now_is_tried_again(store, clock):
    before = counted("retention_failures")
    await store.take("acme")
    await clock.advance(31 * DAY)
    store.blobs.broken = TransientError("blob_store_unavailable")
    async with store.watched():
        assert store.kept.deleted == {}
        store.blobs.broken, store.kept.broken = None, TransientError("database_unreachable")
        await clock.advance(HOUR)
        assert len(store.blobs.contents) == 1
        store.kept.broken = None
        await clock.advance(HOUR)

        assert store.blobs.contents == {}
    assert counted("retention_failures") - before == 2


async def test_one_tenants_mail_that_cannot_be_deleted_does_not_keep_the_others(
    store, clock, monkeypatch
):
    stuck = await store.take("acme")
    await store.take("globex")
    await clock.advance(31 * DAY)
    delete = store.blobs.delete

    async def sticking(key):
        if key == stuck:
            raise TransientError("blob_store_unavailable")
        await delete(key)

    monkeypatch.setattr(store.blobs, "delete", sticking)
    async with store.watched():
        assert set(store.blobs.contents) == {stuck}


async def test_mail_that_is_locked_in_the_store_does_not_keep_what_follows(
    store, clock, monkeypatch, all_logged
):
    monkeypatch.setattr(worker, "_AT_ONCE", 3)
    locked = {await store.take("globex", f"locked {number}".encode()) for number in range(7)}
    await clock.advance(HOUR)
    for number in range(5):
        await store.take("globex", str(number).encode())
    await clock.advance(3 * DAY)
    delete = store.blobs.delete

    async def locking(key):
        if key in locked:
            raise TransientError("blob_store_unavailable", "409 BlobImmutableDueToPolicy")
        await delete(key)

    monkeypatch.setattr(store.blobs, "delete", locking)
    with capture_logs() as logs:
        async with store.watched():
            assert set(store.blobs.contents) == locked

    assert [log["event"] for log in logs] == ["raw_mail_not_deleted", "raw_mail_deleted"]
    assert gauge("raw_mail_overdue_seconds") == DAY + HOUR


async def test_a_store_that_is_away_is_not_asked_for_each_mail(store, clock, monkeypatch):
    monkeypatch.setattr(worker, "_AT_ONCE", 2)
    for number in range(50):
        await store.take("globex", str(number).encode())
    await clock.advance(3 * DAY)
    asked = []

    async def away(key):
        asked.append(key)
        raise TransientError("blob_store_unavailable")

    monkeypatch.setattr(store.blobs, "delete", away)
    async with store.watched():
        assert len(asked) == 3 * 2


async def test_how_long_mail_is_overdue_is_told_and_nothing_once_it_is_gone(store, clock):
    await store.take("globex")
    await clock.advance(2 * DAY + HOUR)
    store.blobs.broken = TransientError("blob_store_unavailable")
    async with store.watched():
        assert gauge("raw_mail_overdue_seconds") == HOUR
        store.blobs.broken = None
        await clock.advance(HOUR)

        assert gauge("raw_mail_overdue_seconds") == 0


async def test_a_changed_retention_holds_from_the_next_hour(store, clock):
    await store.take("globex")
    async with store.watched():
        await clock.advance(DAY + HOUR)
        assert len(store.blobs.contents) == 1
        store.retention = Retention({"globex": timedelta(days=1)})
        await clock.advance(HOUR)

        assert store.blobs.contents == {}


async def test_reports_that_share_a_blob_are_both_marked(store, clock):
    key = await store.take("globex")
    entry = store.report_keys.entries[key]
    await store.report_keys.enter(replace(entry, report_key="another"))
    async with store.watched():
        await clock.advance(2 * DAY + HOUR)

        assert set(store.kept.deleted) == {key, "another"}
