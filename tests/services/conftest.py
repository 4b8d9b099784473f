"""A RabbitMQ beside the session's, for tests that kill it or come to it as guests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.services.choice import UnavailableError
from tests.services.rabbitmq import private, programs_under_test
from tests.services.vhosts import RabbitServer


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def spare_rabbitmq() -> AsyncIterator[RabbitServer]:
    """Give a private instance to all tests of this folder."""
    try:
        programs = programs_under_test()
    except UnavailableError as error:
        pytest.skip(f"rabbitmq: {error}")
    async with private(programs) as server:
        yield server
