"""A log on real Postgres."""

import asyncpg
import pytest
import pytest_asyncio

from services.audit.adapters.postgres.recording import PostgresAuditLog
from tests.audit.logs import audit_tables


@pytest_asyncio.fixture
async def audit_pool(database):
    """Give connections of the service's own role."""
    async with audit_tables(database) as pool:
        yield pool


@pytest.fixture
def log(audit_pool):
    return PostgresAuditLog(audit_pool)


@pytest_asyncio.fixture
async def superuser(database, audit_pool):
    """Give a connection of one who may do anything, triggers included."""
    connection = await asyncpg.connect(
        database.superuser_dsn,
        server_settings={"search_path": "audit", "session_replication_role": "replica"},
    )
    try:
        yield connection
    finally:
        await connection.close()
