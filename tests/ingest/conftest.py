"""A listener, or a whole deployment, for each test that asks for one."""

import pytest
import pytest_asyncio

from libs.common.broker.postgres import declare
from libs.common.broker.topology import UNDELIVER
from tests.ingest.listening import Client, Keeper, listening
from tests.ingest.site import Site


@pytest.fixture
def keeper():
    return Keeper()


@pytest_asyncio.fixture
async def listener(keeper):
    async with listening(keeper) as listener:
        yield listener


@pytest_asyncio.fixture
async def client(listener):
    async with Client.connect(listener.port) as client:
        yield client


@pytest_asyncio.fixture
async def site(database, tmp_path):
    await declare(database.superuser_dsn, UNDELIVER)
    return Site(database, tmp_path / "mail")
