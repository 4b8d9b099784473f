"""A fresh, provisioned database for each test, cloned from a template."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from libs.common.database.provisioning import provision, role_of


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A Postgres on which tests may create databases and roles.

    `password` is given to every role; None where the server asks for none.
    """

    superuser_dsn: str
    password: str | None
    template: str

    def dsn(self, database: str, role: str | None = None) -> str:
        """Return the address of a database, for the superuser or for a role."""
        dsn = urlunsplit(urlsplit(self.superuser_dsn)._replace(path=f"/{database}"))
        return dsn if role is None else with_login(dsn, role, self.password)


@dataclass(frozen=True, slots=True)
class Database:
    """One test's own database, with the schemas and roles of all services."""

    server: PostgresServer
    name: str

    @property
    def superuser_dsn(self) -> str:
        """The address for whoever may do anything, such as to look into every schema."""
        return self.server.dsn(self.name)

    def dsn_for(self, publisher: str) -> str:
        """Return the address for a service, or for a publisher that was added."""
        return self.server.dsn(self.name, role_of(publisher))

    async def add_publisher(self, name: str) -> None:
        """Give a publisher its role, so that `dsn_for(name)` works."""
        await provision(self.superuser_dsn, publishers=[name], password=self.server.password)


@asynccontextmanager
async def provisioned(superuser_dsn: str, *, password: str | None) -> AsyncIterator[PostgresServer]:
    """Make the template on a server, and drop it in the end."""
    template = f"undeliver_test_{secrets.token_hex(4)}"
    server = PostgresServer(superuser_dsn, password, template)
    await execute(superuser_dsn, f"create database {template}")
    try:
        await provision(server.dsn(template), password=password)
        yield server
    finally:
        await execute(superuser_dsn, f"drop database {template} with (force)")


@asynccontextmanager
async def fresh(server: PostgresServer) -> AsyncIterator[Database]:
    """Clone the template for one test; whoever is still connected at the end is cut off."""
    name = f"{server.template}_{secrets.token_hex(4)}"
    await execute(server.superuser_dsn, f"create database {name} template {server.template}")
    try:
        yield Database(server, name)
    finally:
        await execute(server.superuser_dsn, f"drop database {name} with (force)")


def with_login(dsn: str, role: str, password: str | None) -> str:
    """Return the same address for another role."""
    parts = urlsplit(dsn)
    place = parts.netloc.rpartition("@")[2]
    secret = "" if password is None else ":" + quote(password, safe="")
    return urlunsplit(parts._replace(netloc=f"{quote(role, safe='')}{secret}@{place}"))


async def execute(dsn: str, statement: str) -> None:
    """Run one statement on a connection of its own."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
