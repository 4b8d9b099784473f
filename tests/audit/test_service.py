"""The service on real Postgres, with the real queue: from the exchange to the record."""

import asyncio
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import DEVNULL
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

import pytest

from libs.common.broker.port import Message
from libs.common.broker.postgres import PostgresBroker, declare, recover_claims
from libs.common.broker.topology import UNDELIVER
from libs.common.clock import SystemClock
from libs.common.database.pool import open_pool
from libs.common.errors import StartError
from libs.common.tenants.current import CurrentConfiguration
from libs.common.tenants.model import Configuration
from services.audit.adapters.postgres.reading import PostgresArchive, follow, verify
from services.audit.app import audit
from tests.audit.messages import copy_settled, delivery, entry, retract
from tests.fakes.clock import FakeClock

PATIENCE_SECONDS = 20


@pytest.fixture
def configuration():
    tenant = {
        "id": "acme",
        "microsoft_tenant_id": "1",
        "domains": ["acme.example"],
        "journal": {"token": "a" * 26},
        "graph": {"client_id": "c", "workload_identity": True},
    }
    soar = {"name": "soar", "types": ["mail.retract.v1"], "tenants": ["acme"]}
    return CurrentConfiguration(
        Configuration.model_validate(
            {"service_domain": "undeliver.example", "tenants": [tenant], "publishers": [soar]}
        )
    )


@pytest.fixture
async def soar(database):
    """Give a connection of an upstream system, with all queues declared."""
    await declare(database.superuser_dsn, UNDELIVER)
    await database.add_publisher("soar")
    async with broker(database, "soar") as connection:
        yield connection


def broker(database, publisher):
    return PostgresBroker.open(database.dsn_for(publisher), topology=UNDELIVER, clock=SystemClock())


@asynccontextmanager
async def recording(database, configuration):
    """Run the service meanwhile."""
    async with (
        broker(database, "audit") as own,
        audit(
            own,
            postgres_dsn=database.dsn_for("audit"),
            configuration=configuration,
            clock=SystemClock(),
        ) as service,
        asyncio.TaskGroup() as group,
    ):
        task = group.create_task(service.run())
        yield service
        task.cancel()


async def recorded(database, count):
    """Wait until the record has so many messages, and return its verification."""
    pool = await open_pool(database.dsn_for("audit"), schema="audit", max_size=1)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                with suppress(StartError):  # no tables yet
                    verification = await verify(PostgresArchive(pool))
                    if verification.records >= count:
                        return verification
                await asyncio.sleep(0.02)
    finally:
        await pool.close()


def message(contract) -> Message:
    return delivery(contract, correlation_id=str(uuid4())).message


async def test_every_message_on_the_exchange_is_recorded_once(database, configuration, soar):
    async with recording(database, configuration) as service:
        await soar.publish([message(retract()) for _ in range(300)])
        await soar.publish([message(copy_settled()), message(retract("globex"))])

        verification = await recorded(database, 302)
        for check in service.checks.values():
            await check()

    assert verification.is_intact
    assert {each.chain: each.records for each in verification.chains} == {"acme": 301, "-": 1}


async def test_what_the_authority_refuses_is_recorded_with_its_reason(
    database, configuration, soar, audit_pool
):
    async with recording(database, configuration):
        await soar.publish([message(copy_settled()), message(retract("globex"))])
        await recorded(database, 2)

    rows = await audit_pool.fetch("select chain, publisher, flags, refusal from log")
    assert {tuple(map(str, row)) for row in rows} == {
        ("acme", "soar", "['not_authorised']", "type_not_allowed"),
        ("-", "soar", "['not_authorised', 'unknown_tenant']", "tenant_not_allowed"),
    }


async def test_a_tenant_that_is_added_has_a_chain_of_its_own_from_then_on(
    database, configuration, soar
):
    first = configuration.value
    globex = first.tenants[0].model_copy(update={"id": "globex"})
    rights = first.publishers[0].model_copy(update={"tenants": ("acme", "globex")})
    async with recording(database, configuration):
        await soar.publish([message(retract("globex"))])
        await recorded(database, 1)
        configuration.replace(
            first.model_copy(update={"tenants": (*first.tenants, globex), "publishers": (rights,)})
        )
        await soar.publish([message(retract("globex"))])

        verification = await recorded(database, 2)

    assert {each.chain: each.records for each in verification.chains} == {"-": 1, "globex": 1}


async def test_two_replicas_share_the_work_and_record_each_message_once(
    database, configuration, soar
):
    async with recording(database, configuration), recording(database, configuration):
        for _ in range(10):
            await soar.publish([message(retract()) for _ in range(50)])
        verification = await recorded(database, 500)

    assert (verification.records, verification.is_intact) == (500, True)


async def test_a_restart_loses_nothing_and_doubles_nothing(database, configuration, soar):
    await soar.publish([message(retract()) for _ in range(100)])
    for count in (100, 200):
        async with recording(database, configuration):
            await recorded(database, count)
            # Stopped right after the commit, so perhaps before the settling.
        await soar.publish([message(retract()) for _ in range(100)])
    async with recording(database, configuration):
        verification = await recorded(database, 300)

    assert (verification.records, verification.is_intact) == (300, True)


async def test_a_killed_process_leaves_a_record_that_its_successor_goes_on_with(
    database, configuration, soar, tmp_path
):
    file = tmp_path / "undeliver.yaml"
    file.write_text(configuration.value.model_dump_json(exclude_defaults=True))
    environment = {
        "AUDIT_POSTGRES_DSN": database.dsn_for("audit"),
        "UNDELIVER_CONFIG": str(file),
        "PATH": "",
    }
    command = (sys.executable, "-m", "services.audit")

    await soar.publish([message(retract()) for _ in range(2000)])
    victim = await create_subprocess_exec(*command, env=environment, stderr=DEVNULL)
    await recorded(database, 1)
    victim.kill()
    await victim.wait()
    await recover_claims(database.superuser_dsn)  # instead of waiting for its leases to run out
    successor = await create_subprocess_exec(*command, env=environment, stderr=DEVNULL)
    verification = await recorded(database, 2001)
    successor.terminate()

    assert await successor.wait() == 0
    assert verification.is_intact
    # Both said which configuration is in force, in the same words.
    assert {each.chain: each.records for each in verification.chains} == {"acme": 2000, "-": 1}


async def test_a_lost_database_delays_the_record_and_nothing_else(
    database, configuration, soar, superuser
):
    async with recording(database, configuration):
        await soar.publish([message(retract()) for _ in range(50)])
        await recorded(database, 1)
        for _ in range(3):
            await superuser.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where usename = 'undeliver_audit' and datname = current_database()"
            )
            await soar.publish([message(retract()) for _ in range(50)])

        verification = await recorded(database, 200)

    assert (verification.records, verification.is_intact) == (200, True)


async def test_following_gives_each_record_once(log, audit_pool):
    clock, archive = FakeClock(), PostgresArchive(audit_pool)
    await log.record([entry(delivery(retract(), message_id=f"m{n}")) for n in range(3)])

    seen = []
    looks = follow(archive, clock, chain=None, latest=2)
    seen.append(ids(await anext(looks)))
    await log.record([entry(delivery(retract("globex"), message_id="m3"))])
    await log.record([entry(delivery(retract(), message_id="m4"))])
    for _ in range(2):
        async with asyncio.TaskGroup() as group:
            look = group.create_task(anext(looks))
            await clock.advance(1.0)
        seen.append(ids(look.result()))
    await looks.aclose()

    assert seen == [{"m1", "m2"}, {"m3", "m4"}, set()]


def ids(found):
    return {each.record.properties.message_id for each in found}
