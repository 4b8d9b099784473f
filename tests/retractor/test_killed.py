"""`kill -9` of the service, again and again, with commands under way."""

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from libs.common.broker.postgres.declaration import declare
from libs.common.broker.topology import UNDELIVER
from libs.graph_simulator.options import Latency
from tests.retractor.rig import Mail, configuration, deliver, journaled
from tests.retractor.test_retracting import command_for
from tests.retractor.test_service import broker, message
from tests.services.databases import execute

TO = ("ann@acme.example", "bob@acme.example", "cat@acme.example")
MAILS = [Mail(internet_message_id=f"<{n}@evil.example>", to=TO) for n in range(40)]


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_every_retraction_is_finished_once(database, simulator, pool, tmp_path: Path):
    simulator.admin.set_latency(Latency(median_ms=60, sigma=0.5))
    await declare(database.superuser_dsn, UNDELIVER)
    config = tmp_path / "undeliver.yaml"
    config.write_text(yaml.safe_dump(json.loads(configuration().model_dump_json())))
    async with broker(database, "ingest") as ingest, broker(database, "cli") as cli:
        for mail in MAILS:
            deliver(simulator, mail)
            await ingest.publish([message(journaled(mail))])
            await cli.publish([message(command_for(mail))])
    environment = os.environ | {
        "UNDELIVER_CONFIG": str(config),
        "RIG_SECRET": "s3cret",
        "RETRACTOR_POSTGRES_DSN": database.dsn_for("retractor"),
        "RETRACTOR_GRAPH_URL": simulator.graph_url,
        "RETRACTOR_AUTHORITY_URL": simulator.authority_url,
        "RETRACTOR_CA_FILE": str(simulator.ca_file),
        "RETRACTOR_LEASE_SECONDS": "3",
    }

    for seconds in (3.0, 2.5, 3.5, 2.8):
        await run_for(seconds, environment)
        # The broker's leases are a minute long; ours run out in three seconds by themselves.
        await execute(database.superuser_dsn, "select broker.recover_claims()")
    await run_until_finished(pool, environment)

    bodies = await pool.fetch("select type, body, announced_at from announcements")
    settled = Counter(json.loads(row["body"])["copy_id"] for row in of(bodies, "copy.settled.v1"))
    finished = [json.loads(row["body"]) for row in of(bodies, "retraction.finished.v1")]
    assert len(settled) == sum(settled.values()) == len(MAILS) * len(TO)
    assert [one["counts"]["moved"] for one in finished] == [len(TO)] * len(MAILS)
    for mail in MAILS:
        copies = simulator.admin.copies(internet_message_id=mail.internet_message_id)
        assert {copy.folder for copy in copies} == {"recoverableitemsdeletions"}
        assert {len(copy.history) for copy in copies} == {1}


def of(rows, type_):
    return [row for row in rows if row["type"] == type_]


async def start(environment):
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.retractor",
        cwd=Path(__file__).parents[2],
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
    )


async def run_for(seconds, environment):
    process = await start(environment)
    await asyncio.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    await process.wait()


async def run_until_finished(pool, environment):
    process = await start(environment)
    try:
        async with asyncio.timeout(90):
            while True:
                finished = await pool.fetchval(
                    "select count(*) from announcements "
                    "where type = 'retraction.finished.v1' and announced_at is not null"
                )
                if finished == len(MAILS):
                    return
                await asyncio.sleep(0.2)
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()
