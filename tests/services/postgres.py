"""Which Postgres the tests run on: one function for each step of `tests.services.choice`."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from libs.embedded_postgres_server import binaries as programs
from libs.embedded_postgres_server import serve
from tests.services import docker, foreign_postgres, packages
from tests.services.choice import Choice, Offer, UnavailableError, choose, forced_step
from tests.services.databases import PostgresServer, provisioned
from tests.services.places import open_place

OLDEST_MAJOR = 15

Postgres = Offer[PostgresServer]


def choose_postgres() -> Choice[PostgresServer]:
    """Decide for this session; starts nothing but a question to a local server.

    Raises:
        ValueError: TEST_SERVICES does not read as documented.
    """
    return choose("postgres", _STEPS, os.environ.get("TEST_SERVICES", ""))


def programs_under_test() -> programs.Binaries:
    """Return the programs that the launcher's own tests start: the forced ones, or the first."""
    forced = forced_step("postgres", os.environ.get("TEST_SERVICES", ""))
    return (forced == "binaries" and programs.installed()) or programs.find()


@asynccontextmanager
async def private(binaries: programs.Binaries) -> AsyncIterator[PostgresServer]:
    """Run programs as an instance of our own, in a folder that goes away with it."""
    with open_place() as folder:
        async with (
            serve(folder / "postgres", binaries=binaries, durable=False) as server,
            provisioned(server.dsn(), password=None) as ready,
        ):
            yield ready


def _env() -> Postgres:
    dsn = os.environ.get("TEST_POSTGRES_DSN", "")
    if not dsn:
        raise UnavailableError("TEST_POSTGRES_DSN is not set")
    return _of_another(dsn, "TEST_POSTGRES_DSN")


def _local() -> Postgres:
    reasons = []
    for dsn in foreign_postgres.local_addresses():
        try:
            return _of_another(dsn, dsn, unused=True)
        except UnavailableError as error:
            reasons.append(str(error))
    raise UnavailableError(", ".join(dict.fromkeys(reasons)) or "none answers")


def _of_another(dsn: str, place: str, *, unused: bool = False) -> Postgres:
    version = asyncio.run(foreign_postgres.examine(dsn, unused=unused))
    _check_major(version)
    return Offer(version, place, partial(foreign_postgres.use, dsn, leave_roles=not unused))


def _binaries() -> Postgres:
    named = os.environ.get("UNDELIVER_PG_BIN")
    return _programs(programs.find(Path(named)) if named else programs.installed())


def _wheel() -> Postgres:
    return _programs(programs.wheel())


def _packages() -> Postgres:
    packages.require_tools()
    newest = next(name for name in packages.dependencies("postgresql") if name[-1].isdigit())
    major = newest.rpartition("-")[2]
    _check_major(major)
    tree = packages.unpack([newest, "libpq5"], newest)
    folder = tree / "usr" / "lib" / "postgresql" / major / "bin"
    return _programs(
        programs.probe(folder, newest, tree=tree, libraries=packages.library_folders(tree))
    )


def _docker() -> Postgres:
    engine = docker.engine_version()
    return Offer(foreign_postgres.IMAGE, f"docker {engine}", foreign_postgres.contained)


def _programs(found: programs.Binaries | None) -> Postgres:
    if found is None:
        raise UnavailableError("not installed")
    _check_major(found.version)
    return Offer(found.version, str(found.folder), partial(private, found))


def _check_major(version: str) -> None:
    if int(version.partition(".")[0]) < OLDEST_MAJOR:
        raise UnavailableError(f"{version} is older than {OLDEST_MAJOR}")


_STEPS = {
    "env": _env,
    "local": _local,
    "binaries": _binaries,
    "wheel": _wheel,
    "docker": _docker,
    "packages": _packages,
}
