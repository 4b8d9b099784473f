"""How long a service takes to stop before a database that stands still."""

import asyncio
from functools import partial

from structlog.testing import capture_logs

from libs.common.database.errors import translated
from libs.common.database.pool import pooled
from libs.common.runtime import run_together
from tests.faults.proxy import network_before

_STOP_SECONDS = 0.2


async def waits(pool, has_begun):
    with translated():
        async with pool.acquire() as connection, connection.transaction():
            has_begun.set()
            while True:
                await connection.fetchval("select 1")


async def test_statements_that_nobody_answers_end_soon_after_the_order_to_stop(database):
    has_begun = asyncio.Event()

    async def serve(dsn):
        async with pooled(dsn, schema="audit", stop_seconds=_STOP_SECONDS) as pool:
            await run_together({"waits": partial(waits, pool, has_begun)})

    with network_before(database.superuser_dsn) as network, capture_logs() as logs:
        async with asyncio.TaskGroup() as group:
            service = group.create_task(serve(network.through(database.dsn_for("audit"))))
            await has_begun.wait()
            network.swallow()
            service.cancel()
            async with asyncio.timeout(10):
                await asyncio.wait([service])

    assert service.cancelled()
    assert [each["event"] for each in logs] == ["database_connections_cut"]


async def test_what_ends_in_time_after_the_order_to_stop_is_not_cut(database):
    has_begun, kept = asyncio.Event(), []

    async def keeps(pool):
        has_begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            kept.append(await pool.fetchval("select 1 from pg_sleep(1)"))

    async def serve(dsn):
        async with pooled(dsn, schema="audit", stop_seconds=20) as pool:
            await run_together({"keeps": partial(keeps, pool)})

    async with asyncio.TaskGroup() as group:
        service = group.create_task(serve(database.dsn_for("audit")))
        await has_begun.wait()
        service.cancel()

    assert kept == [1]
