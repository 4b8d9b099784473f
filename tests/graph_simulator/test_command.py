"""The seed file and `undeliver graph-simulator`."""

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from libs.common.errors import ConfigurationError, StartError
from libs.graph_simulator.options import Options
from libs.graph_simulator.seed import MailboxSeed, Seed, TenantSeed, load_seed
from libs.graph_simulator.server import Listen, serve
from tests.graph_simulator.samples import TENANT

SEED = f"""
tenants:
  - id: {TENANT}
    domains: [contoso.example]
    apps:
      - client_id: app
        client_secret: secret
    mailboxes:
      - address: alice@contoso.example
        aliases: [a@contoso.example]
        folders: [Projects/2026]
      - {{address: room@contoso.example, kind: room}}
options:
  latency: {{median_ms: 5}}
  throttling: {{mailbox_concurrency: 2}}
"""


def test_a_seed_file_is_read(tmp_path: Path):
    (tmp_path / "seed.yaml").write_text(SEED)

    seed = load_seed(tmp_path / "seed.yaml")

    (tenant,) = seed.tenants
    assert [one.kind for one in tenant.mailboxes] == ["user", "room"]
    assert tenant.mailboxes[0].folders == ("Projects/2026",)
    assert seed.options.throttling.mailbox_concurrency == 2


@pytest.mark.parametrize(
    ("wrong", "right", "sentence"),
    [
        (f"id: {TENANT}", "id: contoso", ":3: tenants[0].id: is not a GUID; write "),
        ("kind: room", "kind: rooom", "tenants[0].mailboxes[1].kind: "),
        ("address: alice@contoso.example", "address: alice", ":9: tenants[0].mailboxes[0].address"),
        ("client_secret: secret", "roles: []", "has no credential; add client_secret"),
        ("aliases:", "alias:", ":10: tenants[0].mailboxes[0].alias: is not a known field; "),
        ("median_ms: 5", "median_ms: -5", "options.latency.median_ms: "),
        ("tenants:", "tenants: [", "is not YAML"),
        ("    domains: [contoso.example]\n", "", "tenants[0].domains: is missing; add it"),
    ],
)
def test_a_wrong_seed_is_refused_with_line_field_and_remedy(
    tmp_path: Path, wrong: str, right: str, sentence: str
):
    path = tmp_path / "seed.yaml"
    path.write_text(SEED.replace(wrong, right))

    with pytest.raises(ConfigurationError) as refused:
        load_seed(path)

    assert str(refused.value).startswith(f"{path}:")
    assert sentence in str(refused.value)


def test_a_seed_file_that_is_not_there_is_said(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_seed(tmp_path / "none.yaml")


async def test_an_address_twice_is_refused():
    mailboxes = (MailboxSeed(address="a@x.example"), MailboxSeed(address="A@X.example"))
    seed = Seed(tenants=(TenantSeed(id=TENANT, domains=("x.example",), mailboxes=mailboxes),))

    with pytest.raises(ConfigurationError, match="is taken"):
        async with serve(seed):
            pass


async def test_a_taken_port_and_an_unwritable_file_are_said_in_one_sentence(
    tmp_path: Path, identity
):
    async with serve(identity=identity) as running:
        port = httpx.URL(running.graph_url).port or 0
        with pytest.raises(StartError, match=f"port {port} of 127.0.0.1 cannot be used"):
            async with serve(identity=identity, listen=Listen(graph_port=port)):
                pass
    with pytest.raises(StartError, match="cannot be written"):
        async with serve(identity=identity, ca_file=tmp_path / "none" / "ca.pem"):
            pass


async def test_the_same_seed_gives_the_same_ids(identity):
    ids = []
    for _ in range(2):
        seed = Seed(
            tenants=(
                TenantSeed(
                    id=TENANT,
                    domains=("x.example",),
                    mailboxes=(MailboxSeed(address="a@x.example"),),
                ),
            ),
            options=Options(seed=7),
        )
        async with serve(seed, identity=identity) as simulator:
            mime = b"Message-ID: <1@x>\r\n\r\n"
            (copy,) = simulator.admin.deliver(mime, "e@e.example", ["a@x.example"]).copies
            ids.append((copy.immutable_id, copy.graph_message_id, copy.user_id))

    assert ids[0] == ids[1]


def test_the_command_serves_until_it_is_told_to_stop(tmp_path: Path):
    (tmp_path / "seed.yaml").write_text(SEED)
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", "services", "graph-simulator", "--port", "0"]
    command += ["--authority-port", "0", "--ca-file", str(tmp_path / "ca.pem")]
    command += ["--tenant-file", str(tmp_path / "seed.yaml"), "--ready-file", str(ready), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 30
            while not ready.exists() and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            said = json.loads(ready.read_text())
            context = ssl.create_default_context(cafile=said["ca_file"])
            state = httpx.get(f"{said['admin_url']}state", verify=context, trust_env=False)
            unsigned = httpx.get(f"{said['graph_url']}/v1.0/users", verify=context, trust_env=False)
        finally:
            os.kill(process.pid, signal.SIGTERM)
        printed = process.communicate(timeout=20)[0]

    assert (state.status_code, state.json()) == (200, {"copies": []})
    assert unsigned.status_code == 401
    assert json.loads(printed) == said
    assert process.returncode == 0


def test_the_documented_seed_is_valid_and_tells_the_defaults(tmp_path: Path):
    page = Path(__file__).parents[2] / "docs" / "graph-simulator.md"
    block = page.read_text(encoding="utf-8").split("```yaml\n", 1)[1].split("```", 1)[0]
    (tmp_path / "seed.yaml").write_text(block, encoding="utf-8")

    assert load_seed(tmp_path / "seed.yaml").options == Options()
