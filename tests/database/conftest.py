"""A Postgres that asks for passwords, and knows nothing of us yet."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio

from libs.embedded_postgres_server import Binaries, serve
from libs.embedded_postgres_server.binaries import wheel
from tests.services.places import open_place
from tests.services.postgres import programs_under_test

CONFIGURATION = """\
service_domain: undeliver.example
publishers:
  - name: soar
    types: [mail.retract.v1]
tenants:
  - id: acme
    microsoft_tenant_id: 11111111-1111-4111-8111-111111111111
    domains: [acme.example]
    journal: {token: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}
    graph: {client_id: c, client_secret: env:NOT_NEEDED_HERE}
"""
NAMES = ("ingest", "classifier", "retractor", "audit", "cli", "soar")


_DATABASES = (
    "select datname::text from pg_database where not datistemplate and datname <> 'postgres'"
)
_CLEAR = """\
do $$
declare
    each name;
begin
    for each in select rolname from pg_roles where rolname !~ '^pg_' and rolname <> current_user
    loop
        execute format('drop owned by %I cascade; drop role %I', each, each);
    end loop;
end
$$
"""


@dataclass(frozen=True)
class Empty:
    """A server of our own."""

    admin_dsn: str = field(repr=False)
    psql: Path

    def dsn(self, database: str, user: str | None = None, password: str = "") -> str:
        """Return an address on this server; without a user, the administrator's."""
        parts = urlsplit(self.admin_dsn)
        netloc = parts.netloc
        if user is not None:
            netloc = f"{user}:{quote(password, safe='')}@{netloc.rpartition('@')[2]}"
        return urlunsplit(parts._replace(path=f"/{database}", netloc=netloc))

    async def execute(self, statement: str, database: str = "postgres") -> None:
        connection = await asyncpg.connect(self.dsn(database))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def fetch(self, statement: str, dsn: str | None = None) -> list[tuple[object, ...]]:
        connection = await asyncpg.connect(dsn or self.admin_dsn)
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    async def run(self, script: Path, database: str = "postgres") -> None:
        """Let psql run a script, as an administrator would."""
        process = await asyncio.create_subprocess_exec(
            self.psql, "-q", "-v", "ON_ERROR_STOP=1", "-f", script, self.dsn(database)
        )
        async with asyncio.timeout(30):
            assert await process.wait() == 0


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def own_server() -> AsyncIterator[Empty]:
    """Give a server to all tests of this folder; it asks for passwords."""
    programs = programs_under_test()
    with open_place() as folder:
        async with serve(folder / "postgres", binaries=programs, tcp=True, durable=False) as server:
            yield Empty(server.dsn(), _psql(programs))


@pytest_asyncio.fixture
async def empty(own_server: Empty) -> AsyncIterator[Empty]:
    """Give a server without any role of ours, and without any database but its own."""
    yield own_server
    for (database,) in await own_server.fetch(_DATABASES):
        await own_server.execute(f'drop database "{database}" with (force)')
    await own_server.execute(_CLEAR)


def _psql(programs: Binaries) -> Path:
    """Return a client; Debian packs it apart from the server."""
    folders = [each.folder for each in (programs, wheel()) if each]
    return next(folder / "psql" for folder in folders if (folder / "psql").exists())


@pytest.fixture
def passwords(tmp_path: Path) -> Path:
    """Give a folder with a password for everybody, as a mounted secret."""
    folder = tmp_path / "passwords"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_text(f"{name} '%\"\\ {secrets.token_hex(4)}\n")
    return folder


@pytest.fixture
def password_of(passwords: Path) -> Callable[[str], str]:
    """Give the password of a name."""
    return lambda name: (passwords / name).read_text().removesuffix("\n")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Give a configuration file with one publisher, soar."""
    path = tmp_path / "undeliver.yaml"
    path.write_text(CONFIGURATION)
    return path
