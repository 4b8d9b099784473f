"""A Postgres that somebody else runs: guests there, we touch nothing that we did not make."""

import asyncio
import hashlib
import ipaddress
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import quote, urlencode

import asyncpg

from tests.services import docker
from tests.services.choice import UnavailableError
from tests.services.databases import PostgresServer, execute, provisioned, with_login

_CONNECT_SECONDS = 5.0
_CONTAINER_START_SECONDS = 60.0
_SOCKET_FOLDERS = ("/var/run/postgresql", "/tmp")
IMAGE = "postgres:17-alpine"

_ABILITIES = """
select current_setting('server_version') as version,
       rolsuper or (rolcreatedb and rolcreaterole) as is_able,
       exists (select from pg_roles where rolname like 'undeliver\\_%') as is_used
from pg_roles where rolname = current_user
"""


def local_addresses() -> Iterator[str]:
    """Return where a server of this machine would be, as libpq's variables say or by default."""
    host = os.environ.get("PGHOST", "")
    port = os.environ.get("PGPORT", "5432")
    user = os.environ.get("PGUSER", "postgres" if os.getuid() == 0 else "")
    login = f"{quote(user)}@" if user else ""
    for folder in [host] if host.startswith("/") else [] if host else _SOCKET_FOLDERS:
        if (Path(folder) / f".s.PGSQL.{port}").exists():
            yield f"postgresql://{login}/postgres?{urlencode({'host': folder, 'port': port})}"
    if not host.startswith("/"):
        if not is_loopback(host or "127.0.0.1"):
            raise UnavailableError(f"PGHOST {host} is not this machine")
        yield f"postgresql://{login}{host or '127.0.0.1'}:{port}/postgres"


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, by its spelling alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def examine(dsn: str, *, unused: bool) -> str:
    """Return the version of a server on which we may create what tests need, and log in with it.

    With `unused`, a server that has roles of ours already is left alone: it may be in real use.

    Raises:
        UnavailableError: it does not answer, or does not let us.
    """
    try:
        connection = await asyncpg.connect(dsn, timeout=_CONNECT_SECONDS)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError) as error:
        raise UnavailableError(f"no login: {error or type(error).__name__}") from error
    try:
        found = await connection.fetchrow(_ABILITIES)
        if not found["is_able"]:
            raise UnavailableError("its role lacks CREATEDB or CREATEROLE")
        if unused and found["is_used"]:
            raise UnavailableError("it has roles `undeliver_…` that are not ours to change")
        await _try_login(connection, dsn)
    finally:
        await connection.close()
    return str(found["version"]).split()[0]


@asynccontextmanager
async def use(dsn: str, *, leave_roles: bool) -> AsyncIterator[PostgresServer]:
    """Make our template there, and take back what we made; roles stay where others may use them."""
    # The same in every session, for two may run at once on one server; as secret as the address.
    password = hashlib.sha256(f"undeliver tests {dsn}".encode()).hexdigest()
    if not leave_roles:
        password = secrets.token_hex(32)
    async with provisioned(dsn, password=password) as server:
        yield server
    if not leave_roles:
        await _drop_roles(dsn)


@asynccontextmanager
async def contained() -> AsyncIterator[PostgresServer]:
    """Run a container for the session."""
    password = secrets.token_hex(32)
    async with docker.container(IMAGE, [5432], {"POSTGRES_PASSWORD": password}) as running:
        place = f"{running.host}:{running.ports[5432]}"
        dsn = f"postgresql://postgres:{password}@{place}/postgres"
        async with asyncio.timeout(_CONTAINER_START_SECONDS):
            await _until_answered(dsn)
        async with provisioned(dsn, password=password) as server:
            yield server


async def _try_login(connection: asyncpg.Connection, dsn: str) -> None:
    role = f"undeliver_test_{secrets.token_hex(4)}"
    password = secrets.token_hex(16)
    await connection.execute(f"create role {role} login password '{password}'")
    try:
        guest = await asyncpg.connect(with_login(dsn, role, password), timeout=_CONNECT_SECONDS)
        await guest.close()
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise UnavailableError(f"no login for the roles that we create: {error}") from error
    finally:
        await connection.execute(f"drop role {role}")


async def _drop_roles(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            r"select rolname from pg_roles where rolname like 'undeliver\_%'"
        )
    finally:
        await connection.close()
    for row in rows:
        with suppress(asyncpg.DependentObjectsStillExistError):  # another session's database
            await execute(dsn, f'drop role "{row["rolname"]}"')


async def _until_answered(dsn: str) -> None:
    while True:
        with suppress(OSError, asyncpg.PostgresError):
            connection = await asyncpg.connect(dsn)
            await connection.close()
            return
        await asyncio.sleep(0.2)
