"""Folders for servers, and programs to start."""

import asyncio
import stat
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from libs.embedded_postgres_server import Binaries, serve
from tests.services.places import open_place
from tests.services.postgres import programs_under_test


@pytest.fixture(scope="session")
def programs() -> Binaries:
    """Give the programs that the session is about."""
    return programs_under_test()


@pytest.fixture
def place() -> Iterator[Path]:
    """Give a folder that every account may enter: pytest's own is shut."""
    with open_place() as folder:
        yield folder


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def initialised(programs: Binaries) -> AsyncIterator[Path]:
    """Give a data folder with an empty cluster; `initdb` is what takes a start its time."""
    with open_place() as folder:
        async with serve(folder / "postgres", binaries=programs, durable=False):
            pass
        yield folder / "postgres"


@pytest.fixture
def data_folder(place: Path, initialised: Path) -> Path:
    """Give this test a copy of the empty cluster, owners and permissions included."""
    subprocess.run(["cp", "-a", initialised, place / "postgres"], check=True)
    return place / "postgres"


@pytest.fixture
def serve_programs(programs: Binaries) -> Callable[..., object]:
    """Give `serve` with the programs that the session is about, without waits for the disk."""
    return partial(serve, binaries=programs, durable=False)


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Return when something outside of our event loop has come to pass."""
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


def mode_of(path: Path) -> int:
    """Return the permissions of a file or folder."""
    return stat.S_IMODE(path.stat().st_mode)


def is_there(path: Path) -> bool:
    """Tell whether a file or folder exists."""
    return path.exists()


def owner_of(path: Path) -> int:
    """Return whose a file, folder or, under /proc, a process is."""
    return path.stat().st_uid


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """Connect, and close the connection even when the server is gone."""
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        connection.terminate()
