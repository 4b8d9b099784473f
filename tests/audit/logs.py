"""The log's tables in a test's own database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from libs.common.database.migrations import migrate
from libs.common.database.pool import open_pool
from services.audit.adapters.postgres.recording import SQL_PACKAGE


@asynccontextmanager
async def audit_tables(database) -> AsyncIterator[asyncpg.Pool]:
    """Give a pool of the service's own role, with the tables made."""
    pool = await open_pool(database.dsn_for("audit"), schema="audit")
    try:
        await migrate(pool, SQL_PACKAGE)
        yield pool
    finally:
        await pool.close()
