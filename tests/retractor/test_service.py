"""The whole service on the Postgres queue, and people's commands beside it."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from libs.common.broker.port import Message
from libs.common.broker.postgres.broker import PostgresBroker
from libs.common.broker.postgres.declaration import declare
from libs.common.broker.topology import UNDELIVER
from libs.common.clock import SystemClock
from libs.graph_simulator.server import Simulator
from services.retractor.app import retractor
from services.retractor.settings import Tuning
from tests.retractor.conftest import FAST
from tests.retractor.rig import TENANT, Mail, deliver, in_force, journaled
from tests.services.databases import Database

ANN, BOB = "ann@acme.example", "bob@acme.example"
MAIL = Mail(to=(ANN, BOB))


@pytest.fixture
async def running(
    database: Database, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    """Run the service; ingest has told it of `MAIL`, which is in the mailboxes."""
    monkeypatch.setenv("RIG_SECRET", "s3cret")
    await declare(database.superuser_dsn, UNDELIVER)
    tuning = Tuning(
        graph_url=simulator.graph_url,
        authority_url=simulator.authority_url,
        ca_file=simulator.ca_file,
        **FAST,
    )
    clock = SystemClock()
    async with (
        broker(database, "ingest") as ingest,
        broker(database, "retractor") as own,
        retractor(
            own,
            postgres_dsn=database.dsn_for("retractor"),
            configuration=in_force(),
            clock=clock,
            tuning=tuning,
        ) as service,
    ):
        for check in service.checks.values():
            await check()
        deliver(simulator, MAIL)
        await ingest.publish([message(journaled(MAIL))])
        task = asyncio.ensure_future(service.run())
        yield
        task.cancel()
        await asyncio.wait([task])


def broker(database, service):
    return PostgresBroker.open(database.dsn_for(service), topology=UNDELIVER, clock=SystemClock())


def message(contract):
    message_id = str(uuid4())
    return Message(
        message_id=message_id,
        type=contract.type,
        body=contract.body(),
        tenant=contract.tenant,
        correlation_id=message_id,
        causation_id=None,
        timestamp=SystemClock().now(),
        app_id="test",
    )


async def undeliver(database, *words):
    """Run a person's command; return its exit code, its output and what it says beside."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services",
        "retractor",
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"CLI_POSTGRES_DSN": database.dsn_for("cli")},
        cwd=Path(__file__).parents[2],
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_a_person_retracts_looks_and_restores(running, database, simulator, folders):
    asked = ("--tenant", TENANT, "--reason", "phish", "--json", "--wait", "--timeout", "20")
    code, out, err = await undeliver(
        database,
        *("retract", "--message-id", MAIL.internet_message_id, "--destination", "soft_delete"),
        *asked,
    )
    assert (code, err) == (0, "")
    record = json.loads(out)
    assert (record["status"], record["counts"]["moved"]) == ("finished", 2)
    assert {one["folder_after"] for one in record["copies"]} == {"recoverableitemsdeletions"}
    assert {one["folder_before"] for one in record["copies"]} == {"inbox"}
    assert set(folders(MAIL.internet_message_id).values()) == {"recoverableitemsdeletions"}

    (code, listed, _), (_, shown, _) = await asyncio.gather(
        undeliver(database, "list", "--tenant", TENANT, "--json"),
        undeliver(database, "show", record["retraction_id"]),
    )
    assert (code, json.loads(listed)["retraction_id"]) == (0, record["retraction_id"])
    assert ANN in shown
    assert "moved" in shown

    code, out, _ = await undeliver(database, "restore", record["retraction_id"], *asked)
    assert (code, json.loads(out)["counts"]["restored"]) == (0, 2)
    assert set(folders(MAIL.internet_message_id).values()) == {"inbox"}


async def test_a_command_without_a_message_is_a_usage_error(database):
    code, out, err = await undeliver(
        database, "retract", "--tenant", TENANT, "--destination", "junk", "--reason", "x"
    )

    assert (code, out) == (2, "")
    assert "--message-id" in err


async def test_what_does_not_exist_cannot_be_shown(running, database):
    code, _, err = await undeliver(database, "show", str(uuid4()))

    assert code == 1
    assert "there is no retraction" in err
