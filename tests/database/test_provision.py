"""`undeliver database provision`, on a server that knows nothing of us."""

import asyncio

import asyncpg
import pytest

from libs.common.broker.postgres import PostgresBroker
from libs.common.broker.topology import CLASSIFIER_EVENTS, UNDELIVER
from libs.common.clock import SystemClock
from libs.common.database.migrations import migrate
from libs.common.database.pool import open_pool
from libs.common.database.provisioning import provision
from tests.commands import undeliver
from tests.contracts.broker_rig import ids, message, take

SERVICES = ("ingest", "classifier", "retractor", "audit")
ROLES = "select rolname::text from pg_roles where rolname like 'undeliver%' order by 1"


async def _carries_mail(empty, database, password_of):
    """Tell whether a message passes through the queue, between roles that sign in by password."""

    def broker(name):
        return PostgresBroker.open(
            empty.dsn(database, f"undeliver_{name}", password_of(name)),
            topology=UNDELIVER,
            clock=SystemClock(),
        )

    async with broker("ingest") as ingest, broker("classifier") as classifier:
        assert not await ingest.missing()
        await ingest.publish([message("m1", "mail.journaled.v1")])
        return ids(await take(classifier, CLASSIFIER_EVENTS)) == ["m1"]


async def _migrate(empty, database, password_of):
    """Let every service make its tables, as it does when it starts."""
    for name in SERVICES:
        dsn = empty.dsn(database, f"undeliver_{name}", password_of(name))
        pool = await open_pool(dsn, schema=name, max_size=1)
        await migrate(pool, f"services.{name}.adapters.sql")
        await pool.close()


async def test_a_server_is_ready_for_everything_after_one_command(
    empty, passwords, password_of, config
):
    words = ("database", "provision", "--create-database", "undeliver")
    words = (*words, "--passwords", str(passwords), "--config", str(config), "--json")
    first = await undeliver(*words, DATABASE_ADMIN_DSN=empty.admin_dsn)
    again = await undeliver(*words, DATABASE_ADMIN_DSN=empty.admin_dsn)

    assert (first.code, again.code) == (0, 0), first.err + again.err
    made = {(each["kind"], each["name"]): each["state"] for each in first.records}
    assert made["database", "undeliver"] == "created"
    assert made["role", "undeliver_soar"] == made["schema", "broker"] == "created"
    assert {each["state"] for each in again.records} == {"present", "declared"}
    assert [each["name"] for each in again.records] == [each["name"] for each in first.records]
    await _migrate(empty, "undeliver", password_of)
    assert await _carries_mail(empty, "undeliver", password_of)


async def test_nobody_signs_in_with_anothers_password(empty, passwords, password_of, config):
    await undeliver(
        *("database", "provision", "--passwords", str(passwords), "--config", str(config)),
        DATABASE_ADMIN_DSN=empty.admin_dsn,
    )

    dsn = empty.dsn("postgres", "undeliver_cli", password_of("cli"))
    assert await empty.fetch("select session_user::text", dsn) == [("undeliver_cli",)]
    with pytest.raises(asyncpg.InvalidPasswordError):
        await empty.fetch("select 1", empty.dsn("postgres", "undeliver_cli", password_of("soar")))


async def test_without_the_queue_there_are_only_services_and_commands(empty, passwords, config):
    (passwords / "soar").unlink()  # nobody asks for it

    ended = await undeliver(
        *("database", "provision", "--passwords", str(passwords), "--config", str(config)),
        DATABASE_ADMIN_DSN=empty.admin_dsn,
        CLI_AMQP_URL="amqp://cli:secret@broker.example/",
    )

    assert ended.code == 0, ended.err
    assert await empty.fetch(ROLES) == [
        (f"undeliver_{name}",) for name in ("audit", "classifier", "cli", "ingest", "retractor")
    ]
    assert not await empty.fetch("select 1 from pg_namespace where nspname = 'broker'")


async def test_the_script_does_the_same_in_psql_as_often_as_it_is_run(
    empty, passwords, password_of, config, tmp_path
):
    words = ("database", "provision", "--sql", "--create-database", "mine")
    printed = await undeliver(*words, "--passwords", str(passwords), "--config", str(config))
    assert printed.code == 0, printed.err
    assert not [name for name in ("ingest", "cli", "soar") if password_of(name) in printed.out]
    script = tmp_path / "provision.sql"
    script.write_text(printed.out)

    await empty.run(script)
    await empty.run(script)

    await _migrate(empty, "mine", password_of)
    assert await _carries_mail(empty, "mine", password_of)


async def test_a_database_that_the_script_made_is_brought_up_to_date_by_the_command(
    empty, tmp_path
):
    script = tmp_path / "provision.sql"
    script.write_text((await undeliver("database", "provision", "--sql")).out)
    await empty.run(script)

    ended = await undeliver("database", "provision", "--json", DATABASE_ADMIN_DSN=empty.admin_dsn)

    assert ended.code == 0, ended.err
    assert {each["state"] for each in ended.records} == {"present", "declared"}


async def test_a_role_that_is_no_superuser_suffices(empty, passwords, password_of, config):
    await empty.execute("create role dba login createrole createdb password 'x'")

    ended = await undeliver(
        *("database", "provision", "--create-database", "mine"),
        *("--passwords", str(passwords), "--config", str(config)),
        DATABASE_ADMIN_DSN=empty.dsn("postgres", "dba", "x"),
    )

    assert ended.code == 0, ended.err
    await _migrate(empty, "mine", password_of)
    assert await _carries_mail(empty, "mine", password_of)


async def test_several_may_provision_one_server_at_once(empty, passwords):
    words = ("database", "provision", "--passwords", str(passwords), "--create-database", "one")

    ended = await asyncio.gather(
        *(undeliver(*words, DATABASE_ADMIN_DSN=empty.admin_dsn) for _ in range(2))
    )

    assert [each.code for each in ended] == [0, 0], [each.err for each in ended]
    assert len(await empty.fetch(ROLES)) == 6


async def test_databases_of_one_server_may_be_provisioned_at_once(empty):
    # Their roles are the same ones, and no lock of ours reaches from one database to another.
    names = [f"tenant{number}" for number in range(6)]
    for name in names:
        await empty.execute(f"create database {name}")

    await asyncio.gather(*(provision(empty.dsn(name), password="x") for name in names * 2))

    assert len(await empty.fetch(ROLES)) == 6


async def test_a_role_without_the_right_is_told_so(empty):
    await empty.execute("create role nobody login password 'x'")

    ended = await undeliver(
        "database", "provision", DATABASE_ADMIN_DSN=empty.dsn("postgres", "nobody", "x")
    )

    assert ended.code == 1
    assert "may create roles" in ended.err
