"""The service as it runs: SMTP in, a message in the queue out, on a real database and disk."""

import asyncio
import json
import os
import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from hashlib import sha256
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
import yaml
from structlog.testing import capture_logs

from libs.common.blobs.local import open_local_blobs
from libs.common.broker.postgres import PostgresBroker, declare
from libs.common.broker.topology import AUDIT_EVENTS, UNDELIVER
from libs.common.clock import SystemClock
from libs.common.errors import PermanentError, StartError
from libs.common.tenants.current import CurrentConfiguration
from libs.common.tenants.model import Journal
from services.ingest.app import ingest
from services.ingest.settings import Tuning
from tests.contracts.broker_rig import take
from tests.ingest.cable import Cable
from tests.ingest.listening import ACME, CONFIGURATION, GLOBEX, Client
from tests.ingest.reports import original, report

CLOCK = SystemClock()


class Site:
    """A deployment of ingest alone; may be started again on the same data."""

    def __init__(self, database, folder):
        self.database = database
        self.folder = folder

    @asynccontextmanager
    async def running(self, cable=None, configuration=CONFIGURATION, **settings):
        dsn = self.database.dsn_for("ingest")
        dsn = cable.dsn(dsn) if cable else dsn
        async with AsyncExitStack() as stack:
            broker = await stack.enter_async_context(
                PostgresBroker.open(dsn, topology=UNDELIVER, clock=CLOCK)
            )
            self.blobs = await stack.enter_async_context(open_local_blobs(self.folder))
            chosen = Tuning(smtp_port=settings.pop("port", 0), **settings)
            service = ingest(
                broker,
                postgres_dsn=dsn,
                blobs=self.blobs,
                configuration=CurrentConfiguration(configuration),
                clock=CLOCK,
                tuning=chosen,
            )
            yield await stack.enter_async_context(service)

    async def announced(self, count):
        """Take this many announcements of mail out of the audit's queue."""
        dsn = self.database.dsn_for("audit")
        async with PostgresBroker.open(dsn, topology=UNDELIVER, clock=CLOCK) as broker:
            return [each.message for each in await take(broker, AUDIT_EVENTS, count)]

    async def count(self):
        """Return how many announcements wait for the audit."""
        return await self.query(
            "select count(*) from broker.deliveries where queue = $1 and type like 'mail.%'",
            AUDIT_EVENTS,
        )

    async def query(self, sql, *args):
        connection = await asyncpg.connect(self.database.superuser_dsn)
        try:
            return await connection.fetchval(sql, *args)
        finally:
            await connection.close()


@pytest_asyncio.fixture
async def site(database, tmp_path):
    await declare(database.superuser_dsn, UNDELIVER)
    return Site(database, tmp_path / "mail")


async def test_a_report_goes_from_smtp_to_the_queue_and_its_original_to_the_store(site):
    async with site.running() as door:
        async with Client.connect(door.smtp_port) as client:
            assert await client.deliver(report(), ACME) == "250 2.0.0 Accepted"

        (message,) = await site.announced(1)
        body = json.loads(message.body)
        raw = body["raw"]
        kept = await site.blobs.get(
            raw["store_key"],
            offset=raw["original_offset"],
            size_bytes=raw["original_size_bytes"],
        )
    assert (message.type, message.tenant) == ("mail.journaled.v1", "acme")
    assert kept == original()
    assert raw["original_sha256"] == sha256(original()).hexdigest()


async def test_a_report_that_comes_again_is_announced_once_even_after_a_restart(site):
    async with site.running() as door, Client.connect(door.smtp_port) as client:
        assert (await client.deliver(report(), ACME)).startswith("250")
        assert (await client.deliver(report(), ACME)).startswith("250")
    async with site.running() as door, Client.connect(door.smtp_port) as client:
        assert (await client.deliver(report(), ACME)).startswith("250")

    assert await site.count() == 1


async def test_a_token_that_was_rotated_or_removed_is_not_called_unknown(site):
    acme, _, initech = CONFIGURATION.tenants
    rotated = acme.model_copy(update={"journal": Journal(token="q" * 26)})
    later = CONFIGURATION.model_copy(update={"tenants": (rotated, initech)})
    async with site.running():
        pass
    async with (
        site.running(configuration=later) as door,
        Client.connect(door.smtp_port) as client,
    ):
        await client.say("MAIL FROM:<>")
        replies = [await client.say(f"RCPT TO:<{each}>") for each in (ACME, GLOBEX)]
        new = await client.say(f"RCPT TO:<{ACME.replace('a' * 26, 'q' * 26)}>")
        never = await client.say(f"RCPT TO:<{ACME.replace('a' * 26, 'n' * 26)}>")

    assert replies == ["451 4.3.0 Not accepted now, try again later"] * 2
    assert new.startswith("250")
    assert never.startswith("550 5.1.1")


async def test_two_tenants_get_a_publication_each(site):
    async with site.running() as door, Client.connect(door.smtp_port) as client:
        await client.deliver(report(), ACME, GLOBEX)

    assert {each.tenant for each in await site.announced(2)} == {"acme", "globex"}


async def test_mail_whose_time_is_over_is_deleted_and_its_report_not_announced_again(site):
    async with site.running() as door, Client.connect(door.smtp_port) as client:
        await client.deliver(report(), ACME)
    (message,) = await site.announced(1)
    await site.query("update ingest.report_keys set received_at = now() - interval '31 days'")

    async with site.running() as door, asyncio.TaskGroup() as group:
        running = group.create_task(door.run())
        while not await site.query("select raw_deleted_at from ingest.report_keys"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        async with Client.connect(door.smtp_port) as client:
            assert (await client.deliver(report(), ACME)).startswith("250")
        with pytest.raises(PermanentError, match="blob_missing"):
            await site.blobs.get(json.loads(message.body)["raw"]["store_key"])
        running.cancel()

    assert await site.count() == 0


async def test_large_mail_goes_the_same_way(site):
    attachment = (b"QUJD" * 19 + b"\r\n") * 40_000
    async with site.running(spool_folder=site.folder.parent) as door:
        async with Client.connect(door.smtp_port) as client:
            raw = report(original(attachment))
            assert (await client.deliver(raw, ACME)).startswith("250")

        (message,) = await site.announced(1)
        body = json.loads(message.body)
        assert await site.blobs.get(body["raw"]["store_key"]) == raw


async def test_while_the_database_is_away_clients_keep_their_mail(site, database):
    async with (
        Cable.to(database.superuser_dsn) as cable,
        site.running(cable) as door,
        Client.connect(door.smtp_port) as client,
    ):
        cable.pull()
        while_away = [await client.deliver(report(), ACME) for _ in range(3)]
        cable.plug_in()
        again = await client.deliver(report(), ACME)

    assert while_away == ["451 4.3.0 Not accepted now, try again later"] * 3
    assert again.startswith("250")
    assert await site.count() == 1


async def test_without_queues_clients_keep_their_mail_until_they_are_there(database, tmp_path):
    site = Site(database, tmp_path)
    await declare(database.superuser_dsn, type(UNDELIVER)(queues=()))
    async with site.running() as door, Client.connect(door.smtp_port) as client:
        assert (await client.deliver(report(), ACME)).startswith("451 4.3.0")
        await declare(database.superuser_dsn, UNDELIVER)
        assert (await client.deliver(report(), ACME)).startswith("250")

    assert await site.count() == 1


async def test_many_clients_at_once_lose_and_double_nothing(site):
    async def deliver(number, port):
        async with Client.connect(port) as client:
            for turn in range(5):
                raw = report(report_id=f"<{number}-{turn}@journal.report.generator>")
                assert (await client.deliver(raw, ACME)).startswith("250")

    async with site.running() as door, asyncio.TaskGroup() as clients:
        for number in range(10):
            clients.create_task(deliver(number, door.smtp_port))

    assert len({each.message_id for each in await site.announced(50)}) == 50


async def test_logs_hold_no_subject_no_address_and_no_token(site):
    with capture_logs() as logs:
        async with site.running() as door, Client.connect(door.smtp_port) as client:
            await client.deliver(report(), ACME)

    text = str(logs)
    assert "mail_accepted" in text
    assert not any(word in text for word in ("Quarterly", "alice@", "bob@", ACME.partition("@")[0]))


async def test_a_taken_port_is_refused_before_anything_else_happens(site):
    async with site.running() as door:
        with pytest.raises(StartError, match="choose another port with INGEST_SMTP_PORT"):
            async with site.running(port=door.smtp_port):
                pass


def environment(site, **more):
    configuration = site.folder.parent / "undeliver.yaml"
    configuration.write_text(yaml.safe_dump(CONFIGURATION.model_dump(mode="json")))
    return {
        "PATH": os.environ["PATH"],
        "INGEST_POSTGRES_DSN": site.database.dsn_for("ingest"),
        "INGEST_BLOB_URL": f"file://{site.folder}",
        "INGEST_SMTP_PORT": "0",
        "UNDELIVER_CONFIG": str(configuration),
        **more,
    }


@asynccontextmanager
async def started(env):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.ingest"),
        env=env,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def logged(process, event):
    said = []
    async for line in process.stderr:
        said.append(line)
        if line.startswith(b"{") and json.loads(line)["event"] == event:
            return json.loads(line)
    raise AssertionError(f"ended without {event}: {said}")


def children_of(pid):
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def gone(pids):
    """Wait until none of these processes runs."""
    async with asyncio.timeout(10.0):
        while any(Path(f"/proc/{pid}/stat").exists() for pid in pids):  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0.02)


async def test_the_process_takes_mail_until_it_is_told_to_stop(site):
    async with started(environment(site)) as process:
        listening = await logged(process, "smtp_listening")
        async with Client.connect(listening["port"]) as client:
            assert (await client.deliver(report(), ACME)).startswith("250")
            process.send_signal(signal.SIGTERM)
            assert (await client.reply()).startswith("421")
        await process.wait()

    assert process.returncode == 0
    assert await site.count() == 1


async def test_a_killed_process_loses_nothing_that_it_had_taken(site):
    async with started(environment(site)) as process:
        listening = await logged(process, "smtp_listening")
        async with Client.connect(listening["port"]) as client:
            assert (await client.deliver(report(), ACME)).startswith("250")
            parsers = children_of(process.pid)
            process.kill()

    assert parsers
    await gone(parsers)
    message = next(each for each in await site.announced(2) if each.type.startswith("mail."))
    async with open_local_blobs(site.folder) as blobs:
        assert await blobs.get(json.loads(message.body)["raw"]["store_key"]) == report()


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"INGEST_SMTP_PORT": "taken"}, 1, "cannot listen for mail on 127.0.0.1:"),
        ({"INGEST_BLOB_URL": "file:///proc/no"}, 1, "cannot keep mail in /proc/no"),
        ({"INGEST_TLS": "optional"}, 2, "INGEST_TLS_CERTIFICATE: is not set"),
        ({"INGEST_BLOB_URL": "ftp://x"}, 2, "write file:///absolute/path"),
        ({"INGEST_SMTP_PORT": "70000"}, 2, "INGEST_SMTP_PORT: "),
        ({"UNDELIVER_CONFIG": "/no/such.yaml"}, 2, "/no/such.yaml: cannot be read"),
    ],
)
async def test_what_keeps_it_from_starting_is_said_in_a_sentence(site, changes, code, words):
    async with site.running() as other:
        taken = {"taken": str(other.smtp_port)}
        settings = {name: taken.get(value, value) for name, value in changes.items()}
        async with started(environment(site, **settings)) as process:
            _, err = await process.communicate()

    assert words in err.decode()
    assert "Traceback" not in err.decode()
    assert "process_failed" not in err.decode()
    assert process.returncode == code
