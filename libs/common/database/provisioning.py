"""Roles and schemas: each service owns one schema; each publisher is one role.

The broker's Postgres adapter takes the role for the proof of who publishes, so a role is never
shared between publishers.
"""

from collections.abc import Sequence

import asyncpg

from libs.common.database.errors import translated

ROLE_PREFIX = "undeliver_"
#: Owners of a schema of the same name.
SCHEMAS = ("broker", "ingest", "classifier", "retractor", "audit")
#: What people's commands publish as.
CLI = "cli"

_LOCK = 7_205_759_403_792_794


def role_of(publisher: str) -> str:
    """Return the database role of a publisher or service."""
    return ROLE_PREFIX + publisher


async def provision(
    superuser_dsn: str, *, publishers: Sequence[str] = (), password: str | None = None
) -> None:
    """Create what is missing of roles and schemas; safe to run again, and from several at once.

    `password` is given to every role, for servers that ask for one; None leaves them as they are.

    Raises:
        TransientError: `database_unreachable`.
    """
    with translated():
        connection = await asyncpg.connect(superuser_dsn)
        try:
            async with connection.transaction():
                await connection.execute("select pg_advisory_xact_lock($1)", _LOCK)
                for name in (*SCHEMAS, CLI, *publishers):
                    await _create_role(connection, role_of(name), password)
                for name in SCHEMAS:
                    await _create_schema(connection, name)
        finally:
            await connection.close()


async def _create_role(connection: asyncpg.Connection, role: str, password: str | None) -> None:
    # Identifiers and passwords cannot be parameters of DDL: Postgres itself quotes them.
    known = await connection.fetchval("select 1 from pg_roles where rolname = $1", role)
    if not known:
        await connection.execute(await _formatted(connection, "create role %I login", role))
    if password is not None:
        await connection.execute(
            await _formatted(connection, "alter role %I password %L", role, password)
        )
    database = await connection.fetchval("select current_database()")
    await connection.execute(
        await _formatted(connection, "grant connect on database %I to %I", database, role)
    )


async def _create_schema(connection: asyncpg.Connection, name: str) -> None:
    role = role_of(name)
    await connection.execute(
        await _formatted(connection, "grant %I to current_user", role)
    )  # only a member of a role may make it an owner, unless superuser
    await connection.execute(
        await _formatted(connection, "create schema if not exists %I authorization %I", name, role)
    )


async def _formatted(connection: asyncpg.Connection, template: str, *values: str) -> str:
    places = ", ".join(f"${place}::text" for place in range(2, len(values) + 2))
    return str(await connection.fetchval(f"select format($1, {places})", template, *values))


async def create_database(superuser_dsn: str, name: str) -> None:
    """Create a database where it does not exist; connect to another one for that.

    Raises:
        TransientError: `database_unreachable`.
    """
    with translated():
        connection = await asyncpg.connect(superuser_dsn)
        try:
            known = await connection.fetchval("select 1 from pg_database where datname = $1", name)
            if not known:
                await connection.execute(await _formatted(connection, "create database %I", name))
        finally:
            await connection.close()
