"""Both books of report keys keep the contract."""

import asyncio

import asyncpg
import pytest
import pytest_asyncio

from libs.common.database.migrations import migrate
from libs.common.database.pool import open_pool
from libs.common.errors import TransientError
from services.ingest.adapters.postgres import SQL, PostgresReportKeys
from tests.contracts.report_keys import ENTRY, ReportKeysContract
from tests.fakes.report_keys import FakeReportKeys

CUT_OFF_WHO_WAITS = """
    select bool_or(pg_terminate_backend(pid)) from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'
"""


class TestFakeReportKeys(ReportKeysContract):
    @pytest.fixture
    def report_keys(self):
        return FakeReportKeys()


@pytest_asyncio.fixture
async def pool(database):
    pool = await open_pool(database.dsn_for("ingest"), schema="ingest")
    await migrate(pool, SQL)
    yield pool
    await pool.close()


class TestPostgresReportKeys(ReportKeysContract):
    @pytest.fixture
    def report_keys(self, pool):
        return PostgresReportKeys(pool)


async def test_a_lost_connection_is_said_so_and_the_next_one_serves(database, pool):
    report_keys = PostgresReportKeys(pool)
    superuser = await asyncpg.connect(database.superuser_dsn)
    async with superuser.transaction():
        await superuser.execute("lock table ingest.report_keys in access exclusive mode")
        finding = asyncio.ensure_future(report_keys.find(ENTRY.report_key))
        while not await superuser.fetchval(CUT_OFF_WHO_WAITS):  # noqa: ASYNC110 - in the server
            await asyncio.sleep(0.01)
        with pytest.raises(TransientError) as raised:
            await finding
    await superuser.close()

    assert raised.value.reason == "database_unreachable"
    assert await report_keys.enter(ENTRY) == ENTRY


@pytest.mark.parametrize("unknown", ["role", "database"])
async def test_a_database_that_does_not_let_us_in_is_not_there_for_us(database, unknown):
    dsn = database.dsn_for("ingest")
    name = "undeliver_ingest" if unknown == "role" else database.name

    with pytest.raises(TransientError, match="database_unreachable"):
        await open_pool(dsn.replace(name, "nobody_knows"), schema="ingest")
