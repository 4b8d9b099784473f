import asyncpg
import pytest

from libs.common.database.pool import open_pool


@pytest.mark.parametrize("service", ["broker", "ingest", "classifier", "retractor", "audit"])
async def test_a_service_owns_the_schema_of_its_name(database, service):
    pool = await open_pool(database.dsn_for(service), schema=service, max_size=1)
    try:
        await pool.execute("create table notes (note text)")
        owner = await pool.fetchval("select tableowner from pg_tables where tablename = 'notes'")
    finally:
        await pool.close()

    assert owner == f"undeliver_{service}"


async def test_a_service_may_not_create_in_the_schema_of_another(database):
    connection = await asyncpg.connect(database.dsn_for("ingest"))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("create table audit.notes (note text)")
    finally:
        await connection.close()


async def test_a_publisher_that_was_added_can_connect(database):
    await database.add_publisher("soar")

    connection = await asyncpg.connect(database.dsn_for("soar"))
    try:
        assert await connection.fetchval("select current_user") == "undeliver_soar"
    finally:
        await connection.close()


@pytest.mark.parametrize("turn", ["first", "second"])
async def test_each_test_begins_with_an_empty_database(database, turn):
    connection = await asyncpg.connect(database.superuser_dsn)
    try:
        await connection.execute("create table public.leftovers (note text)")  # fails if there
    finally:
        await connection.close()
