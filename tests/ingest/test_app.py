"""The service as it runs: SMTP in, a message in the queue out, on a real database and disk."""

import asyncio
import json
from hashlib import sha256

import pytest
from structlog.testing import capture_logs

from libs.common.broker.postgres import declare
from libs.common.broker.topology import UNDELIVER
from libs.common.errors import PermanentError, StartError
from libs.common.tenants.model import Journal
from tests.ingest.cable import Cable
from tests.ingest.listening import ACME, CONFIGURATION, GLOBEX, Client
from tests.ingest.reports import original, report
from tests.ingest.site import Site


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
