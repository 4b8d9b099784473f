"""A listener for each test that asks for one."""

import pytest
import pytest_asyncio

from tests.ingest.listening import Client, Keeper, listening


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
