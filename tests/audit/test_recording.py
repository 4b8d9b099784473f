"""The log on real Postgres: several writers at once, and hands that must be kept off."""

import asyncio

import asyncpg
import pytest

from libs.common.database.migrations import migrate
from libs.common.database.pool import open_pool
from libs.common.errors import TransientError
from services.audit.adapters.postgres.reading import PostgresArchive, verify
from services.audit.adapters.postgres.recording import SQL_PACKAGE, PostgresAuditLog
from services.audit.domain.chain import Recording
from tests.audit.logs import audit_tables
from tests.audit.messages import copy_settled, delivery, entry, retract


async def test_recorders_at_the_same_time_leave_no_gap_and_no_double(audit_pool):
    messages = [delivery(copy_settled(tenant)) for tenant in ("acme", "globex", "nobody") * 80]
    recorders = [PostgresAuditLog(audit_pool) for _ in range(4)]

    async def record_all(log, first):
        # Each has all messages, in another order, as after leases that ran out.
        mine = messages[first:] + messages[:first]
        for start in range(0, len(mine), 20):
            batch = [entry(each) for each in mine[start : start + 20]]
            await log.record(batch)  # whoever waits for a head is not turned away

    await asyncio.gather(*(record_all(log, 60 * n) for n, log in enumerate(recorders)))

    verification = await verify(PostgresArchive(audit_pool))
    assert verification.is_intact
    assert {each.chain: each.records for each in verification.chains} == {
        "-": 80,
        "acme": 80,
        "globex": 80,
    }


async def until_recorded(log, batch):
    while True:
        try:
            return await log.record(batch)
        except TransientError as error:
            if error.reason != "database_conflict":
                raise


async def test_the_record_can_be_verified_while_it_grows(log, audit_pool):
    archive = PostgresArchive(audit_pool)

    async def grow():
        for _ in range(40):
            await log.record([entry(delivery(copy_settled(each))) for each in ("acme", "globex")])

    async with asyncio.TaskGroup() as group:
        growing = group.create_task(grow())
        while not growing.done():
            assert (await verify(archive)).is_intact

    assert (await verify(archive)).records == 80


async def test_whoever_reads_a_snapshot_may_fail_in_its_own_ways(audit_pool):
    with pytest.raises(BrokenPipeError):
        async with PostgresArchive(audit_pool).snapshot():
            raise BrokenPipeError


async def test_one_key_in_two_chains_at_once_is_recorded_in_both_as_a_conflict(audit_pool):
    """The head locks differ, so only the unique key can stop the second from being the first."""
    honest = delivery(copy_settled("acme"), message_id="same")
    forged = delivery(copy_settled("globex"), message_id="same")
    logs = PostgresAuditLog(audit_pool), PostgresAuditLog(audit_pool)

    outcomes = await asyncio.gather(
        until_recorded(logs[0], [entry(honest)]), until_recorded(logs[1], [entry(forged)])
    )

    assert {outcome for (outcome,) in outcomes} == {Recording.RECORDED, Recording.CONFLICTING}


async def test_what_was_recorded_before_a_crash_is_not_recorded_again(log, audit_pool):
    batch = [delivery(copy_settled()) for _ in range(3)]
    await log.record([entry(each) for each in batch])

    # Never settled, so it comes again, to another process and with a new message.
    batch.append(delivery(copy_settled()))
    again = await PostgresAuditLog(audit_pool).record(
        [entry(each, salt=b"t" * 32) for each in batch]
    )

    assert again == (*[Recording.DUPLICATE] * 3, Recording.RECORDED)
    verification = await verify(PostgresArchive(audit_pool))
    assert (verification.records, verification.is_intact) == (4, True)


async def test_the_service_itself_may_not_rewrite_the_record(log, audit_pool):
    await log.record([entry(delivery(retract()))])

    for statement in (
        "update log set publisher = 'cli'",
        "delete from log",
        "truncate log",
        "update personal set content = ''",
        "truncate personal",
        "delete from heads",
        "truncate heads",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await audit_pool.execute(statement)


async def test_even_the_superuser_needs_to_disable_triggers_first(log, audit_pool, database):
    await log.record([entry(delivery(retract()))])
    connection = await asyncpg.connect(database.superuser_dsn)
    try:
        for statement in (
            "update audit.log set publisher = 'cli'",
            "delete from audit.log",
            "truncate audit.log",
            "update audit.personal set content = ''",
            "update audit.heads set number = 0",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="audit:"):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_the_service_works_on_tables_that_another_role_owns(database):
    owner = await open_pool(database.superuser_dsn, schema="audit", max_size=1)
    await migrate(owner, SQL_PACKAGE)
    async with audit_tables(database) as pool:
        await PostgresAuditLog(pool).record([entry(delivery(retract()))])
        for statement in (
            "alter table log disable trigger user",
            "alter table log add column x int",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await pool.execute(statement)
        await pool.execute("delete from personal")

        assert (await verify(PostgresArchive(pool))).is_intact
    await owner.close()


async def test_people_read_and_cannot_write(log, audit_pool, database):
    await log.record([entry(delivery(retract()))])
    connection = await asyncpg.connect(database.dsn_for("cli"))
    try:
        assert await connection.fetchval("select count(*) from audit.log") == 1
        for statement in (
            "insert into audit.heads values ('x', 0, sha256('x'))",
            "delete from audit.personal",
            "delete from audit.marks",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_a_database_that_is_gone_is_said_to_be_unreachable(log, audit_pool):
    audit_pool.terminate()

    with pytest.raises(TransientError, match="database_unreachable"):
        await log.record([entry(delivery(retract()))])
