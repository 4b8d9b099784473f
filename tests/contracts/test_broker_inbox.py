"""The inbox's contract, kept by the one in memory and by Postgres."""

from datetime import UTC, datetime

import pytest

from libs.common.broker.inbox import PostgresInbox
from libs.common.database.pool import open_pool
from tests.contracts.broker_inbox import InboxContract
from tests.fakes.inbox import MemoryInbox


class TestMemoryInbox(InboxContract):
    @pytest.fixture
    def inbox(self, clock):
        return MemoryInbox(clock)

    @pytest.fixture
    def now(self, clock):
        return clock.now()


class TestPostgresInbox(InboxContract):
    @pytest.fixture
    async def inbox(self, database):
        pool = await open_pool(database.dsn_for("retractor"), schema="retractor")
        yield await PostgresInbox.open(pool)
        await pool.close()

    @pytest.fixture
    def now(self):
        return datetime.now(UTC)

    async def test_every_service_has_its_own(self, database, inbox):
        pool = await open_pool(database.dsn_for("classifier"), schema="classifier")
        other = await PostgresInbox.open(pool)

        assert await inbox.admit("soar", "m1", b"1")
        assert await other.admit("soar", "m1", b"2")
        await pool.close()
