"""A service as a process: how it ends, and with which code."""

import asyncio
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from libs.common.broker.postgres import declare
from libs.common.broker.topology import UNDELIVER
from tests.common.hosted import becomes
from tests.common.test_watching import FILE
from tests.faults.proxy import network_before
from tests.services.ports import free_ports

NOWHERE = "postgresql://undeliver_audit@127.0.0.1:1/undeliver"


@pytest.fixture
def environment(tmp_path):
    (tmp_path / "undeliver.yaml").write_text(FILE)
    [port] = free_ports(1)
    return {
        "AUDIT_POSTGRES_DSN": NOWHERE,
        "AUDIT_HTTP_PORT": str(port),
        "UNDELIVER_CONFIG": str(tmp_path / "undeliver.yaml"),
        "PATH": "",
    }


@asynccontextmanager
async def process(environment):
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services",
        "audit",
        "run",
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        cwd=Path(__file__).parents[2],
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def told_to_stop(child) -> str:
    child.send_signal(signal.SIGTERM)
    async with asyncio.timeout(25):
        _, err = await child.communicate()
    return err.decode()


async def test_stopped_while_it_waits_it_has_succeeded(environment):
    async with process(environment) as child:
        checks = await becomes(int(environment["AUDIT_HTTP_PORT"]), 503)
        err = await told_to_stop(child)

    assert child.returncode == 0, err
    assert checks["service"] == "starting"
    assert '"start_delayed"' in err
    assert "Traceback" not in err


async def test_stopped_while_its_database_is_away_it_has_succeeded(database, environment):
    await declare(database.superuser_dsn, UNDELIVER)
    with network_before(database.superuser_dsn) as network:
        dsn = network.through(database.dsn_for("audit"))
        async with process(environment | {"AUDIT_POSTGRES_DSN": dsn}) as child:
            await becomes(int(environment["AUDIT_HTTP_PORT"]), 200)
            network.refuse()
            network.reset()
            await becomes(int(environment["AUDIT_HTTP_PORT"]), 503)
            err = await told_to_stop(child)

    assert child.returncode == 0, err


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"UNDELIVER_CONFIG": "/none.yaml"}, 2, "/none.yaml: cannot be read"),
        ({"AUDIT_POSTGRES_DSN": "mysql://x"}, 2, "AUDIT_POSTGRES_DSN: is no address"),
        ({"AUDIT_POSTGRES_DSN": NOWHERE + "?sslmode=on"}, 2, "database cannot be used: `sslmode`"),
        ({"AUDIT_AMQP_URL": "amqp://soar:p@h/v"}, 2, "AUDIT_AMQP_URL: its user must be audit"),
    ],
)
async def test_a_mistake_of_the_operator_ends_it_at_once(environment, changes, code, said):
    async with process(environment | changes) as child:
        _, err = await child.communicate()

    assert (child.returncode, said in err.decode()) == (code, True), err
