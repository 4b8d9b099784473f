"""Programs, places for their data, and a DNS server that knows nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.demo.resolver import serve_dns
from tests.e2e.background import Background, background
from tests.e2e.programs import Programs
from tests.e2e.servers import OwnPostgres, own_postgres
from tests.services.places import open_place

_PROGRAMS = pytest.StashKey[Programs]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Tell, where a test failed, what the programs said."""
    report = yield
    programs = item.config.stash.get(_PROGRAMS, None)
    if report.failed and programs is not None:
        report.sections.extend(programs.stories())
    return report


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """Give a folder for the data of all programs."""
    with open_place() as folder:
        yield folder


@pytest.fixture(scope="session")
def programs(place: Path, request: pytest.FixtureRequest) -> Iterator[Programs]:
    """Give what starts programs; none outlives the session."""
    folder = place / "logs"
    folder.mkdir()
    programs = request.config.stash[_PROGRAMS] = Programs(folder)
    yield programs
    programs.end_all()


@pytest.fixture(scope="session")
def beside() -> Iterator[Background]:
    """Give an event loop for servers of this process."""
    with background() as loop:
        yield loop


@pytest.fixture(scope="session")
def nameserver(beside: Background) -> Iterator[str]:
    """Give a DNS server for which no name exists, so that no test asks the world's."""
    with beside.holding(serve_dns({})) as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="session")
def postgres(place: Path, beside: Background) -> Iterator[OwnPostgres]:
    """Give a database server that tests may kill."""
    with beside.holding(own_postgres(place / "postgres")) as server:
        yield server
