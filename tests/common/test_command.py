"""The `undeliver` command, run as people run it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from services.__main__ import AREAS, main

pytestmark = pytest.mark.usefixtures("own_logging")


def undeliver(*words, stdin="", cwd=None, **environment):
    own = {name: value for name, value in os.environ.items() if name != "UNDELIVER_CONFIG"}
    return subprocess.run(
        [sys.executable, "-m", "services", *map(str, words)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=50,
        cwd=cwd,
        env=own | {"PYTHONPATH": str(Path(__file__).parents[2])} | environment,
        check=False,
    )


@pytest.fixture
def example_file(tmp_path):
    file = tmp_path / "undeliver.yaml"
    file.write_text(undeliver("config", "example").stdout)
    return file


def test_help_lists_every_area_with_a_line_each(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--help"])

    shown = capsys.readouterr().out
    assert caught.value.code == 0
    for name, area in AREAS.items():
        assert f"  {name}" in shown
        assert area.summary in shown


def test_the_version_is_the_distributions(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])

    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("undeliver 0.")


@pytest.mark.parametrize("words", [[], ["nonsense"], ["config"], ["config", "nonsense"]])
def test_a_usage_mistake_is_code_2(words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(words)

    assert caught.value.code == 2
    assert "usage: undeliver" in capsys.readouterr().err


def test_only_the_named_area_is_imported():
    code = (
        "import sys; from services.__main__ import main; main(['config', 'example']); "
        "sys.stderr.write(' '.join(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not {"asyncpg", "aiosmtpd", "msgraph", "aiohttp"} & set(run.stderr.split())
    assert not [each for each in run.stderr.split() if each.startswith("services.ingest")]


def test_a_missing_package_names_the_extra_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "services.config.cli", None)  # as if an import inside failed
    monkeypatch.setitem(
        AREAS, "config", AREAS["config"].__class__("no_such_client.cli", "", "retractor")
    )

    assert main(["config"]) == 1
    assert capsys.readouterr().err == (
        "undeliver: `undeliver config` needs the Python package no_such_client, which is not "
        "installed: pip install 'undeliver[retractor]'\n"
    )


def test_the_reader_may_have_seen_enough():
    shell = f"{sys.executable} -m services config schema | head -c 10; exit ${{PIPESTATUS[0]}}"
    run = subprocess.run(
        ["bash", "-c", shell], capture_output=True, text=True, timeout=50, check=False
    )

    assert run.stderr == ""


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


def test_the_example_is_valid_and_says_what_it_holds(example_file):
    run = undeliver("config", "check", example_file)

    assert run.returncode == 0
    assert run.stdout.startswith(f"{example_file}: valid: 2 tenants, 3 domains, 2 publishers")
    assert run.stderr == ""


def test_every_example_has_tokens_of_its_own():
    first, second = (yaml.safe_load(undeliver("config", "example").stdout) for _ in range(2))

    tokens = [each["journal"]["token"] for file in (first, second) for each in file["tenants"]]
    assert len(set(tokens)) == 4


def test_a_wrong_file_is_told_line_by_line_with_code_2(example_file):
    example_file.write_text(example_file.read_text().replace("region: us", "region: US"))

    run = undeliver("config", "check", example_file)

    assert run.returncode == 2
    assert run.stdout == ""
    first = run.stderr.splitlines()[0]
    assert first.startswith(f"{example_file}:12: region: is ")


def test_json_says_the_same_to_programs(example_file):
    valid = undeliver("config", "check", "--json", example_file)
    wrong = undeliver("config", "check", "--json", "-", stdin="tenants: []\n")

    assert json.loads(valid.stdout)["valid"] is True
    assert json.loads(valid.stdout)["tenants"] == 2
    assert wrong.returncode == 2
    assert json.loads(wrong.stdout) == {
        "file": "-",
        "valid": False,
        "problems": [
            {
                "line": 1,
                "field": "service_domain",
                "problem": "is missing",
                "remedy": "add it",
            },
            {
                "line": 1,
                "field": "tenants",
                "problem": "is empty",
                "remedy": "add at least one",
            },
        ],
    }


def test_the_file_may_come_from_the_environment(example_file):
    assert undeliver("config", "check", UNDELIVER_CONFIG=str(example_file)).returncode == 0


def test_without_a_file_the_way_to_one_is_named(tmp_path):
    for words in (["config", "check"], ["config", "check", tmp_path / "none.yaml"]):
        run = undeliver(*words)

        assert run.returncode == 2
        assert "undeliver config example" in run.stderr


def test_secrets_are_resolved_only_on_demand(example_file):
    (example_file.parent / "globex-graph.pem").write_text("-----BEGIN")

    missing = undeliver("config", "check", "--secrets", example_file)
    there = undeliver("config", "check", "--secrets", example_file, ACME_GRAPH_SECRET="hunter2")

    assert missing.returncode == 2
    assert (
        "tenant acme: graph.client_secret: environment variable ACME_GRAPH_SECRET is not set"
        in (missing.stderr)
    )
    assert there.returncode == 0
    assert "hunter2" not in there.stdout + there.stderr


def test_the_schema_is_json(capsys):
    assert main(["config", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Configuration"
