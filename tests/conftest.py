"""What every test may ask for: a database, a clock, reference data; and what none may do."""

import pytest_asyncio

from tests.services.databases import fresh
from tests.services.postgres import postgres


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres_server():
    """Give the Postgres of this session."""
    async with postgres() as server:
        yield server


@pytest_asyncio.fixture
async def database(postgres_server):
    """Give this test a fresh database with the schemas and roles of all services."""
    async with fresh(postgres_server) as own:
        yield own
