"""What every test may ask for: a database, a clock, reference data; and what none may do."""

import logging
import os
import sys
import threading
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn, TypeVar
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
import structlog

from tests.fakes.clock import FakeClock
from tests.loopback import only_loopback
from tests.services import vhosts
from tests.services.choice import Choice, Offer, UnavailableError
from tests.services.databases import Database, PostgresServer, fresh
from tests.services.postgres import choose_postgres
from tests.services.rabbitmq import choose_rabbitmq, private, programs_under_test
from tests.services.vhosts import RabbitServer, Vhost

S = TypeVar("S")

_POSTGRES = pytest.StashKey[Choice[PostgresServer]]()
_RABBITMQ = pytest.StashKey[Choice[RabbitServer]]()
#: The only hosts beyond loopback that tests may reach: servers that somebody named on purpose.
_ADDRESSES = ("TEST_POSTGRES_DSN", "TEST_AMQP_URL")


def pytest_configure(config: pytest.Config) -> None:
    """Shut the network, then find the servers."""
    hosts = [urlsplit(os.environ.get(name, "")).hostname for name in _ADDRESSES]
    open_network = ExitStack()
    open_network.enter_context(only_loopback(*filter(None, hosts)))
    config.add_cleanup(open_network.close)
    try:
        config.stash[_POSTGRES] = choose_postgres()
        config.stash[_RABBITMQ] = choose_rabbitmq()
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say on what the tests run."""
    return [config.stash[_POSTGRES].headline(), config.stash[_RABBITMQ].headline()]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out tests that need what is not part of the project."""
    if item.get_closest_marker("reference"):
        _reference_folder()


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Let each test find logging as a new process does, whatever the one before configured."""
    hooks = threading.excepthook, sys.unraisablehook, warnings.showwarning
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()
    threading.excepthook, sys.unraisablehook, warnings.showwarning = hooks
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres_server(request: pytest.FixtureRequest) -> AsyncIterator[PostgresServer]:
    """Give the Postgres of this session."""
    async with _offered(request.config.stash[_POSTGRES]).start() as server:
        yield server


@pytest_asyncio.fixture
async def database(postgres_server: PostgresServer) -> AsyncIterator[Database]:
    """Give this test a fresh database with the schemas and roles of all services."""
    async with fresh(postgres_server) as own:
        yield own


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def rabbitmq(request: pytest.FixtureRequest) -> AsyncIterator[RabbitServer]:
    """Give the RabbitMQ of this session."""
    async with _offered(request.config.stash[_RABBITMQ]).start() as server:
        yield server


@pytest_asyncio.fixture
async def vhost(rabbitmq: RabbitServer) -> AsyncIterator[Vhost]:
    """Give this test a fresh virtual host with users for all services and the operator."""
    async with vhosts.fresh(rabbitmq) as own:
        yield own


@pytest_asyncio.fixture
async def private_rabbitmq() -> AsyncIterator[RabbitServer]:
    """Give this test a RabbitMQ of its own to kill and to stop: `.node` is there for that."""
    try:
        programs = programs_under_test()
    except UnavailableError as error:
        _unavailable(f"rabbitmq: {error}")
    async with private(programs) as server:
        yield server


@pytest.fixture
def clock() -> FakeClock:
    """Give a clock that only the test moves."""
    return FakeClock()


@pytest.fixture
def reference_folder() -> Path:
    """Give the folder of reference data, for tests that are marked `reference`."""
    return _reference_folder()


def _reference_folder() -> Path:
    folder = os.environ.get("UNDELIVER_REFERENCE", "")
    if not folder or not Path(folder).is_dir():
        _unavailable(f"UNDELIVER_REFERENCE names no folder of reference data: {folder!r}")
    return Path(folder).resolve()


def _offered(choice: Choice[S]) -> Offer[S]:
    if choice.offer is None:
        _unavailable(choice.headline(), must_be_there=choice.forced)
    return choice.offer


def _unavailable(reason: str, *, must_be_there: bool = False) -> NoReturn:
    """Skip, but fail where everything has to be there: a green run must have run."""
    if must_be_there or os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
