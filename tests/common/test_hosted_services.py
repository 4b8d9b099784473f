"""Each service, wired as in a pod: it waits, works, loses what it stands on, and recovers."""

import asyncio
from contextlib import asynccontextmanager
from secrets import token_hex

import pytest
from pydantic import SecretStr

from libs.common.broker.opening import BrokerAddress, declare_topology
from libs.common.broker.postgres import declare
from libs.common.broker.topology import UNDELIVER
from libs.common.database.pool import pooled
from libs.common.database.provisioning import provision
from libs.common.tenants.watching import WatchedFile
from services.audit import app as audit
from services.audit.settings import Settings as AuditSettings
from services.classifier import app as classifier
from services.classifier.settings import Settings as ClassifierSettings
from services.ingest import app as ingest
from services.ingest.settings import Settings as IngestSettings
from services.retractor import app as retractor
from services.retractor.settings import Settings as RetractorSettings
from tests.common.hosted import PATIENCE_SECONDS, becomes
from tests.common.test_watching import FILE, GLOBEX
from tests.faults.proxy import network_before
from tests.services.databases import Database, execute
from tests.services.ports import free_ports

SERVICES = {
    "ingest": (ingest.run, IngestSettings, {"smtp_port": 0, "parse_processes": 1}),
    "classifier": (classifier.run, ClassifierSettings, {"workers": 1}),
    "retractor": (retractor.run, RetractorSettings, {}),
    "audit": (audit.run, AuditSettings, {}),
}


@asynccontextmanager
async def hosted(service, tmp_path, dsn, amqp_url=None):
    """Run a service; gives the port of its probes."""
    run, settings, knobs = SERVICES[service]
    (tmp_path / "undeliver.yaml").write_text(FILE)
    (tmp_path / "blobs").mkdir(mode=0o700)
    [port] = free_ports(1)
    given = settings(
        postgres_dsn=SecretStr(dsn),
        amqp_url=None if amqp_url is None else SecretStr(amqp_url),
        blob_url=(tmp_path / "blobs").as_uri(),
        http_port=port,
        UNDELIVER_CONFIG=tmp_path / "undeliver.yaml",
        **knobs,
    )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(run(given))
        yield port
        task.cancel()


@pytest.mark.parametrize("service", SERVICES)
async def test_it_waits_for_its_database_works_loses_it_and_recovers(
    service, database, tmp_path, monkeypatch
):
    monkeypatch.setenv("ACME_SECRET", "s3cret")
    await declare(database.superuser_dsn, UNDELIVER)
    with network_before(database.superuser_dsn) as network:
        network.refuse()
        async with hosted(service, tmp_path, network.through(database.dsn_for(service))) as port:
            await becomes(port, 503)
            network.resume()
            running = await becomes(port, 200)
            network.refuse()
            network.reset()
            lost = await becomes(port, 503)
            network.resume()
            await becomes(port, 200)

    assert running.keys() == lost.keys()
    assert {"queues", "log" if service == "audit" else "database"} <= running.keys()


@pytest.mark.parametrize("service", SERVICES)
async def test_it_waits_for_rabbitmq_works_loses_it_and_recovers(
    service, database, vhost, tmp_path, monkeypatch
):
    monkeypatch.setenv("ACME_SECRET", "s3cret")
    url = vhost.url_for(service)
    with network_before(url) as network:
        network.refuse()
        dsn = database.dsn_for(service)
        async with hosted(service, tmp_path, dsn, network.through(url)) as port:
            waiting = await becomes(port, 503)
            network.resume()
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (await becomes(port, 503)).get("queues") != "queue_missing":
                    pass
            await declare_topology(BrokerAddress(amqp_url=vhost.url_for("cli")))
            await becomes(port, 200)
            network.refuse()
            network.reset()
            lost = await becomes(port, 503)
            network.resume()
            await becomes(port, 200)

    assert waiting["database"] == "not_tried"
    assert lost["queues"] == "broker_unreachable"


async def test_what_is_written_into_its_file_is_in_force_and_on_record(
    database, tmp_path, monkeypatch
):
    monkeypatch.setenv("ACME_SECRET", "s3cret")
    await declare(database.superuser_dsn, UNDELIVER)
    async with hosted("audit", tmp_path, database.dsn_for("audit")) as port:
        await becomes(port, 200)
        (tmp_path / "undeliver.yaml").write_text(FILE + GLOBEX)
        versions = await recorded_versions(database, 2)

    assert versions[-1] == WatchedFile.load(tmp_path / "undeliver.yaml").current.value.version


async def recorded_versions(database, count):
    """Wait until so many configurations are on record, and return their versions."""
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        pooled(database.dsn_for("audit"), schema="audit", max_size=1) as pool,
    ):
        while True:
            rows = await pool.fetch(
                "select convert_from(public, 'utf8')::json ->> 'version' as version from log"
                " where type = 'config.changed.v1' and flags = '{}' order by number"
            )
            if len(rows) >= count:
                return [row["version"] for row in rows]
            await asyncio.sleep(0.1)


async def test_a_database_that_nobody_has_made_ready_yet_is_waited_for(
    postgres_server, tmp_path, monkeypatch
):
    monkeypatch.setenv("ACME_SECRET", "s3cret")
    name = f"bare_{token_hex(4)}"
    await execute(postgres_server.superuser_dsn, f"create database {name}")
    try:
        bare = Database(postgres_server, name)
        async with hosted("audit", tmp_path, bare.dsn_for("audit")) as port:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (await becomes(port, 503))["service"] != "database_not_provisioned":
                    pass
            await provision(bare.superuser_dsn, password=postgres_server.password)
            await declare(bare.superuser_dsn, UNDELIVER)
            await becomes(port, 200)
    finally:
        await execute(postgres_server.superuser_dsn, f"drop database {name} with (force)")


@pytest.mark.parametrize("service", ["ingest", "classifier"])
async def test_a_folder_for_mail_that_goes_away_makes_it_unready(
    service, database, tmp_path, monkeypatch
):
    monkeypatch.setenv("ACME_SECRET", "s3cret")
    await declare(database.superuser_dsn, UNDELIVER)
    async with hosted(service, tmp_path, database.dsn_for(service)) as port:
        await becomes(port, 200)
        (tmp_path / "blobs").rename(tmp_path / "elsewhere")
        lost = await becomes(port, 503)
        (tmp_path / "elsewhere").rename(tmp_path / "blobs")
        await becomes(port, 200)

    assert lost["blobs"] == "blob_store_unavailable"
