"""On a server that somebody else runs."""

import asyncpg
import pytest
import pytest_asyncio

from libs.embedded_postgres_server import Server, serve
from tests.services.choice import UnavailableError
from tests.services.databases import execute, fresh, with_login
from tests.services.foreign_postgres import examine, local_addresses, use
from tests.services.places import open_place
from tests.services.postgres import programs_under_test


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def foreign():
    programs = programs_under_test()
    with open_place() as place:
        async with serve(place / "pg", binaries=programs, tcp=True, durable=False) as server:
            yield server


async def _login(foreign: Server, role: str, abilities: str) -> str:
    await execute(foreign.dsn(), f"create role {role} login password 'guest' {abilities}")
    return with_login(foreign.dsn(), role, "guest")


async def test_a_role_that_may_create_databases_and_roles_is_enough(foreign):
    dsn = await _login(foreign, "able", "createdb createrole")

    assert (await examine(dsn, unused=True)) == foreign.binaries.version
    async with use(dsn, leave_roles=False) as server, fresh(server) as database:
        await database.add_publisher("soar")
        for publisher in ("ingest", "soar"):
            connection = await asyncpg.connect(database.dsn_for(publisher))
            await connection.close()


async def test_nothing_of_ours_stays_there(foreign):
    async with use(foreign.dsn(), leave_roles=False) as server, fresh(server):
        pass

    connection = await asyncpg.connect(foreign.dsn())
    try:
        assert (
            await connection.fetch("select datname from pg_database where datname ~ 'undel'") == []
        )
        assert await connection.fetch("select rolname from pg_roles where rolname ~ 'undel'") == []
    finally:
        await connection.close()


async def test_a_role_that_may_not_create_is_not_enough(foreign):
    dsn = await _login(foreign, "unable", "createdb")

    with pytest.raises(UnavailableError, match="lacks CREATEDB or CREATEROLE"):
        await examine(dsn, unused=True)


async def test_a_server_with_roles_of_a_real_undeliver_is_left_alone(foreign):
    await execute(foreign.dsn(), "create role undeliver_ingest")
    try:
        with pytest.raises(UnavailableError, match="not ours to change"):
            await examine(foreign.dsn(), unused=True)
    finally:
        await execute(foreign.dsn(), "drop role undeliver_ingest")


async def test_a_server_that_does_not_answer_is_none():
    with pytest.raises(UnavailableError, match="no login"):
        await examine("postgresql://127.0.0.1:1/postgres", unused=True)


def test_a_local_server_is_never_looked_for_on_another_machine(monkeypatch):
    monkeypatch.setenv("PGHOST", "db.example.com")

    with pytest.raises(UnavailableError, match="not this machine"):
        list(local_addresses())
