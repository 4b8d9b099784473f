"""The `undeliver` command, run as people run it."""

import io
import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata

import pytest
import yaml

from services.__main__ import AREAS, Area, main

pytestmark = pytest.mark.usefixtures("own_logging")


@dataclass(frozen=True)
class Run:
    code: int
    out: str
    err: str


@pytest.fixture
def undeliver(capsys, monkeypatch):
    """Run the command in this process, as its console script does."""
    for name in ("UNDELIVER_CONFIG", "ACME_GRAPH_SECRET"):
        monkeypatch.delenv(name, raising=False)

    def run(*words):
        capsys.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as left:
            code = left.code
        return Run(code, *capsys.readouterr())

    return run


@pytest.fixture
def example_file(undeliver, tmp_path):
    file = tmp_path / "undeliver.yaml"
    file.write_text(undeliver("config", "example").out)
    return file


def test_help_lists_every_area_with_a_line_each(undeliver):
    run = undeliver("--help")

    assert run.code == 0
    for name, area in AREAS.items():
        assert f"  {name}" in run.out
        assert area.summary in run.out


def test_the_version_is_the_distributions(undeliver):
    run = undeliver("--version")

    assert run.code == 0
    assert run.out == f"undeliver {metadata.version('undeliver')}\n"


@pytest.mark.parametrize("words", [[], ["nonsense"], ["config"], ["config", "nonsense"]])
def test_a_usage_mistake_is_code_2(undeliver, words):
    run = undeliver(*words)

    assert run.code == 2
    assert "usage: undeliver" in run.err
    assert run.out == ""


def test_only_the_named_area_is_imported():
    code = (
        "import sys; from services.__main__ import main; main(['config', 'example']); "
        "sys.stderr.write(' '.join(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not {"asyncpg", "aiosmtpd", "msgraph", "aiohttp"} & set(run.stderr.split())
    assert not [each for each in run.stderr.split() if each.startswith("services.ingest")]


def test_a_missing_package_names_the_extra_to_install(undeliver, monkeypatch):
    monkeypatch.setitem(AREAS, "config", Area("no_such_client.cli", "", "retractor"))

    run = undeliver("config")

    assert run.code == 1
    assert run.err == (
        "undeliver: `undeliver config` needs the Python package no_such_client, which is not "
        "installed: pip install 'undeliver[retractor]'\n"
    )


def test_the_reader_may_have_seen_enough():
    shell = f"{sys.executable} -m services config schema | head -c 10; exit ${{PIPESTATUS[0]}}"
    run = subprocess.run(
        ["bash", "-c", shell], capture_output=True, text=True, timeout=50, check=False
    )

    assert run.stderr == ""
    assert run.returncode == 0


def test_the_reader_of_a_command_that_works_on_many_things_at_once_may_have_seen_enough(tmp_path):
    for number in range(20):
        (tmp_path / f"{number:02}.eml").write_text("Subject: hello\n\nhello\n")
    shell = f"{sys.executable} -m services classifier classify {tmp_path} --json | head -1; "
    run = subprocess.run(
        ["bash", "-c", shell + "exit ${PIPESTATUS[0]}"],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    assert json.loads(run.stdout)["disposition"] == "none"
    assert "process_failed" not in run.stderr
    assert run.returncode == 0


def test_ctrl_c_ends_a_command_without_a_traceback():
    with subprocess.Popen(
        [sys.executable, "-m", "services", "config", "check", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as command:
        # Half a megabyte fits no pipe: the command reads, and waits for more, when this returns.
        command.stdin.write(b"#" * 500_000)
        command.stdin.flush()
        command.send_signal(signal.SIGINT)
        _, err = command.communicate(timeout=50)

    assert err == b""
    assert command.returncode == 130


def test_the_example_is_valid_and_says_what_it_holds(undeliver, example_file):
    run = undeliver("config", "check", example_file)

    assert run.code == 0
    assert run.out.startswith(f"{example_file}: valid: 2 tenants, 3 domains, 2 publishers")
    assert run.err == ""


def test_every_example_has_tokens_of_its_own(undeliver):
    first, second = (yaml.safe_load(undeliver("config", "example").out) for _ in range(2))

    tokens = [each["journal"]["token"] for file in (first, second) for each in file["tenants"]]
    assert len(set(tokens)) == 4


def test_a_wrong_file_is_told_line_by_line_with_code_2(undeliver, example_file):
    example_file.write_text(example_file.read_text().replace("region: us", "region: US"))

    run = undeliver("config", "check", example_file)

    assert run.code == 2
    assert run.out == ""
    assert run.err.startswith(f"{example_file}:12: region: is ")


def test_json_says_the_same_to_programs(undeliver, example_file, monkeypatch):
    valid = undeliver("config", "check", "--json", example_file)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"tenants: []\n")))
    wrong = undeliver("config", "check", "--json", "-")

    assert json.loads(valid.out)["valid"] is True
    assert json.loads(valid.out)["tenants"] == 2
    assert wrong.code == 2
    no_domain = {"field": "service_domain", "problem": "is missing", "remedy": "add it"}
    no_tenant = {"field": "tenants", "problem": "is empty", "remedy": "add at least one"}
    assert json.loads(wrong.out) == {
        "file": "-",
        "valid": False,
        "problems": [{"line": 1} | no_domain, {"line": 1} | no_tenant],
    }


def test_the_file_may_come_from_the_environment(undeliver, example_file, monkeypatch):
    monkeypatch.setenv("UNDELIVER_CONFIG", str(example_file))

    assert undeliver("config", "check").code == 0


def test_without_a_file_the_way_to_one_is_named(undeliver, tmp_path):
    for words in (["config", "check"], ["config", "check", tmp_path / "none.yaml"]):
        run = undeliver(*words)

        assert run.code == 2
        assert "undeliver config example" in run.err


def test_secrets_are_resolved_only_on_demand(undeliver, example_file, monkeypatch):
    (example_file.parent / "globex-graph.pem").write_text("-----BEGIN")

    missing = undeliver("config", "check", "--secrets", example_file)
    monkeypatch.setenv("ACME_GRAPH_SECRET", "hunter2")
    there = undeliver("config", "check", "--secrets", example_file)

    assert missing.code == 2
    assert (
        "tenant acme: graph.client_secret: environment variable ACME_GRAPH_SECRET is not set"
        in missing.err
    )
    assert there.code == 0
    assert "hunter2" not in there.out + there.err


def test_the_schema_is_json(undeliver):
    run = undeliver("config", "schema")

    assert run.code == 0
    assert json.loads(run.out)["title"] == "Configuration"
