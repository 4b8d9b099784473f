"""What becomes of the locks of a process that stands still."""

import asyncio

import pytest

from libs.common.database.errors import translated
from libs.common.database.migrations import migrate
from libs.common.database.pool import pooled
from libs.common.errors import TransientError

_TAKE = "select pg_advisory_xact_lock(1)"
_STALL_SECONDS = 0.5


async def test_a_transaction_that_stands_still_loses_its_locks_to_others(database):
    dsn = database.dsn_for("audit")
    async with pooled(dsn, schema="audit", stall_seconds=_STALL_SECONDS) as pool:
        async with pool.acquire() as still, pool.acquire() as other:
            await still.execute("begin")
            await still.execute(_TAKE)

            async with asyncio.timeout(20):
                await other.execute(_TAKE)

            with pytest.raises(TransientError, match="database_unreachable"), translated():
                await still.execute("commit")
        assert await pool.fetchval("select 1") == 1


async def test_a_statement_that_takes_its_time_is_not_taken_for_one_that_stands_still(database):
    dsn = database.dsn_for("audit")
    async with (
        pooled(dsn, schema="audit", stall_seconds=_STALL_SECONDS) as pool,
        pool.acquire() as connection,
        connection.transaction(),
    ):
        await connection.execute("select pg_sleep($1)", 3 * _STALL_SECONDS)


async def test_a_migration_may_take_longer_than_any_statement_at_work(
    database, tmp_path, monkeypatch
):
    package = tmp_path / "slow_migrations"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "0001_slow.sql").write_text(f"select pg_sleep({3 * _STALL_SECONDS})")
    monkeypatch.syspath_prepend(tmp_path)
    async with pooled(
        database.dsn_for("audit"),
        schema="audit",
        command_timeout_seconds=_STALL_SECONDS,
        stall_seconds=_STALL_SECONDS,
    ) as pool:
        await migrate(pool, package.name)

        assert await pool.fetchval("select number from migrations") == 1
