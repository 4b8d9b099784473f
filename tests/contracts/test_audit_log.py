"""The audit log's contract, kept by the one in memory and by Postgres."""

import pytest
import pytest_asyncio

from services.audit.adapters.postgres.recording import PostgresAuditLog
from tests.audit.logs import audit_tables
from tests.contracts.audit_log import AuditLogContract
from tests.fakes.audit_log import MemoryAuditLog

NUMBERS = """
select l.chain, l.number, l.message_id, l.edition
from log l join heads h using (chain)
order by l.chain, l.number
"""


class TestMemoryAuditLog(AuditLogContract):
    @pytest.fixture
    def log(self):
        return MemoryAuditLog()

    @pytest.fixture
    def numbers(self, log):
        async def read():
            return sorted(
                (link.chain, link.number, entry.properties.message_id, entry.properties.edition)
                for entry, link in log.links
            )

        return read


class TestPostgresAuditLog(AuditLogContract):
    @pytest_asyncio.fixture
    async def audit_pool(self, database):
        async with audit_tables(database) as pool:
            yield pool

    @pytest.fixture
    def log(self, audit_pool):
        return PostgresAuditLog(audit_pool)

    @pytest.fixture
    def numbers(self, audit_pool):
        async def read():
            return [tuple(row) for row in await audit_pool.fetch(NUMBERS)]

        return read
