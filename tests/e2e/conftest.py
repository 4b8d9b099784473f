"""Programs, places for their data, and a DNS server that knows nothing."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.demo.resolver import serve_dns
from tests.e2e.programs import Programs
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
def nameserver() -> Iterator[str]:
    """Give a DNS server for which no name exists, so that no test asks the world's."""
    loop = asyncio.new_event_loop()
    bound, stop = threading.Event(), asyncio.Event()
    ports: list[int] = []

    async def serve() -> None:
        async with serve_dns({}) as port:
            ports.append(port)
            bound.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert bound.wait(30)
    yield f"127.0.0.1:{ports[0]}"
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()
