"""Folders for servers, and programs to start."""

import asyncio
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import asyncpg
import pytest

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
