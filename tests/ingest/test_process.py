"""The service as a process of its own, as in a pod."""

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from libs.common.blobs.local import open_local_blobs
from tests.ingest.cable import Cable
from tests.ingest.certificates import trusting, write_pair
from tests.ingest.listening import ACME, CONFIGURATION, Client, tenant
from tests.ingest.reports import report

NEW_TOKEN = "n" * 26


def write_configuration(site, *more_tenants):
    path = site.folder.parent / "undeliver.yaml"
    configuration = CONFIGURATION.model_dump(mode="json")
    configuration["tenants"] += more_tenants
    path.write_text(yaml.safe_dump(configuration))
    return path


def environment(site, **more):
    return {
        "PATH": os.environ["PATH"],
        "INGEST_POSTGRES_DSN": site.database.dsn_for("ingest"),
        "INGEST_BLOB_URL": f"file://{site.folder}",
        "INGEST_SMTP_PORT": "0",
        "UNDELIVER_CONFIG": str(write_configuration(site)),
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
    (message,) = await site.announced(1)
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


async def test_the_door_opens_once_the_database_answers(site, database):
    async with Cable.to(database.superuser_dsn) as cable:
        cable.pull()
        dsn = cable.dsn(site.database.dsn_for("ingest"))
        async with started(environment(site, INGEST_POSTGRES_DSN=dsn)) as process:
            assert (await logged(process, "start_delayed"))["reason"] == "broker_unreachable"
            cable.plug_in()
            listening = await logged(process, "smtp_listening")
            async with Client.connect(listening["port"]) as client:
                assert (await client.deliver(report(), ACME)).startswith("250")

    assert await site.count() == 1


async def test_the_record_says_how_mail_was_encrypted(site, tmp_path):
    files, _ = write_pair(tmp_path)
    env = environment(
        site,
        INGEST_TLS="required",
        INGEST_TLS_CERTIFICATE=str(files.certificate),
        INGEST_TLS_KEY=str(files.key),
    )
    async with started(env) as process:
        listening = await logged(process, "smtp_listening")
        async with Client.connect(listening["port"]) as client:
            assert (await client.say("MAIL FROM:<>")).startswith("530 5.7.0")
            await client.encrypt(trusting())
            cipher, version, _ = client.writer.get_extra_info("cipher")
            assert (await client.deliver(report(), ACME)).startswith("250")
            process.send_signal(signal.SIGTERM)
            assert (await client.reply()).startswith("421")
        await process.wait()

    (message,) = await site.announced(1)
    source = json.loads(message.body)["source"]
    assert (source["tls"], source["tls_version"], source["tls_cipher"]) == (True, version, cipher)
    assert process.returncode == 0


async def test_a_tenant_that_is_written_into_the_file_gets_mail_without_a_restart(site):
    new = f"{NEW_TOKEN}@journaling.undeliver.example"
    async with started(environment(site)) as process:
        listening = await logged(process, "smtp_listening")
        async with Client.connect(listening["port"]) as client, asyncio.timeout(30):
            await client.say("MAIL FROM:<>")
            assert (await client.say(f"RCPT TO:<{new}>")).startswith("550 5.1.1")
            write_configuration(site, tenant("umbrella", NEW_TOKEN))
            await logged(process, "configuration_changed")
            assert (await client.say(f"RCPT TO:<{new}>")).startswith("250")
