"""`undeliver up`: what is in its way is said in one sentence, and it starts and stops cleanly."""

import os
import re
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

import services.audit.metrics
import services.classifier.metrics
import services.ingest.metrics
import services.retractor.metrics  # noqa: F401 - each fills the registry
from tests.e2e.installation import Installation, installation
from tests.e2e.programs import Ended, Programs, environment, processes_about
from tests.e2e.tenant import write_configuration

pytestmark = pytest.mark.timeout(240)

#: Linux: root without CAP_DAC_OVERRIDE obeys permissions, and still reads its own programs.
_OBEY = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(24, 1, 0, 0, 0);"
    "os.execv(sys.argv[1], sys.argv[1:])"
)


@pytest.fixture(scope="module")
def home(place: Path) -> Path:
    folder = place / "up"
    folder.mkdir(mode=0o711)
    return folder


@pytest.fixture(scope="module")
def configuration(home: Path) -> Path:
    return write_configuration(home)


@pytest.fixture(scope="module")
def example(programs: Programs, home: Path) -> Path:
    """Give the file that `config example` prints."""
    printed = programs.run("config", "example")
    assert printed.code == 0
    path = home / "example.yaml"
    path.write_text(printed.out, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def on_the_example(programs: Programs, home: Path, example: Path) -> Iterator[Installation]:
    """Give an installation that runs on the example as it is."""
    folder = home / "on-the-example"
    folder.mkdir(mode=0o711)
    with installation(programs, folder, example, {}) as installed:
        installed.start()
        yield installed


@pytest.fixture(scope="module")
def stopped(on_the_example: Installation) -> Ended:
    """Stop that installation, and give what was left of it. Goes last."""
    return on_the_example.program.terminate()


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def assert_one_sentence(ended: Ended, *words: str) -> None:
    """The last line says what is wrong, and nothing looks like a crash."""
    assert ended.code == 1, ended.err
    said = [line for line in ended.err.splitlines() if line.startswith("undeliver: ")]
    assert len(said) == 1, ended.err
    assert said[0] == ended.err.splitlines()[-1]
    for word in words:
        assert word in said[0]
    assert "Traceback" not in ended.err
    assert "process_failed" not in ended.err
    assert ended.out == ""


def test_without_configuration_it_says_how_to_write_one(programs, home):
    ended = programs.run("up", "--data", str(home / "unused"))

    assert ended.code == 2
    assert "undeliver config example" in ended.err
    assert not (home / "unused").exists()


def test_a_mistake_in_the_configuration_is_shown_with_file_and_line(programs, home, configuration):
    wrong = home / "wrong.yaml"
    text = configuration.read_text(encoding="utf-8").replace("soft_delete", "burn")
    wrong.write_text(text, encoding="utf-8")
    line = next(n for n, each in enumerate(text.splitlines(), start=1) if "burn" in each)

    ended = programs.run("up", "--config", str(wrong), "--data", str(home / "unused"))

    assert ended.code == 2
    assert re.match(rf"{re.escape(str(wrong))}:{line}: .*policy\.malicious", ended.err)
    assert not (home / "unused").exists()


def test_the_configuration_on_the_command_line_beats_the_variable(programs, home, configuration):
    wrong = home / "given.yaml"
    wrong.write_text("tenants: 1\n", encoding="utf-8")
    env = environment(UNDELIVER_CONFIG=str(configuration))

    ended = programs.run("up", "--config", str(wrong), "--data", str(home / "unused"), env=env)

    assert ended.code == 2
    assert f"{wrong}:1" in ended.err


def test_a_wrong_variable_is_named_before_anything_starts(programs, home, configuration):
    words = ("up", "--config", str(configuration), "--data", str(home / "unused"))

    ended = programs.run(*words, env=environment(INGEST_SMTP_PORT="70000"))

    assert ended.code == 2, ended.err
    assert ended.err.startswith("INGEST_SMTP_PORT: ")
    assert not (home / "unused").exists()


def test_it_runs_on_the_example_as_it_is(on_the_example):
    readiness = on_the_example.get("/readyz").json()

    assert readiness["ready"]
    assert {name.partition(".")[0] for name in readiness["checks"]} >= {
        "audit",
        "classifier",
        "ingest",
        "retractor",
    }
    assert on_the_example.get("/healthz").status_code == 200


def test_the_metrics_of_all_services_are_shown_from_the_start(on_the_example):
    shown = {
        family.name
        for family in text_string_to_metric_families(on_the_example.get("/metrics").text)
    }
    ours = {family.name for family in REGISTRY.collect() if family.name.startswith("undeliver_")}

    for service in ("audit", "ingest"):
        assert any(name.startswith(f"undeliver_{service}_") for name in ours)
    assert ours <= shown


def test_a_second_one_on_the_same_data_learns_who_holds_it(programs, on_the_example, example):
    words = ("up", "--config", str(example), "--data", str(on_the_example.data))

    ended = programs.run(*words)

    assert_one_sentence(ended, str(on_the_example.data), str(on_the_example.program.pid))
    assert on_the_example.get("/readyz").status_code == 200
    assert on_the_example.run("audit", "verify").code == 0


def test_the_instance_file_is_for_its_owner_only(on_the_example):
    assert (on_the_example.data / "instance.json").stat().st_mode & 0o077 == 0


def test_told_to_stop_it_ends_well_and_leaves_no_process(on_the_example, stopped):
    assert stopped.code == 0
    assert stopped.out == ""
    assert "Traceback" not in stopped.err
    assert processes_about(on_the_example.data) == {}
    assert not (on_the_example.data / "instance.json").exists()


def test_people_are_told_when_nobody_is_at_home(on_the_example, stopped):
    for words in (("audit", "verify"), ("retractor", "list")):
        assert_one_sentence(on_the_example.run(*words), "no undeliver runs on", "undeliver up")


@pytest.mark.parametrize("variable", ["INGEST_SMTP_PORT", "UNDELIVER_HTTP_PORT"])
def test_a_taken_port_is_named_and_nothing_stays(
    programs, on_the_example, stopped, example, variable
):
    words = ("up", "--config", str(example), "--data", str(on_the_example.data))
    with taken_port() as port:
        ended = programs.run(*words, env=environment(**{variable: str(port)}))

    assert_one_sentence(ended, str(port), "in use", "another port")
    assert processes_about(on_the_example.data) == {}


def test_data_of_another_postgres_is_refused_with_both_versions(
    programs, home, on_the_example, stopped, example
):
    data = home / "older"
    cluster = data / "postgres" / "cluster"
    shutil.copytree(on_the_example.data / "postgres" / "cluster", cluster)
    if os.getuid() == 0:
        _give_to_owner_of(on_the_example.data / "postgres" / "cluster", cluster)
    (cluster / "PG_VERSION").write_text("13\n", encoding="ascii")

    ended = programs.run("up", "--config", str(example), "--data", str(data))

    assert_one_sentence(ended, "Postgres 13")
    assert processes_about(data) == {}


@pytest.mark.skipif(sys.platform != "linux", reason="capabilities are Linux's")
@pytest.mark.parametrize("is_there", [True, False])
def test_a_folder_that_may_not_be_written_is_named(programs, home, example, is_there):
    shut = home / f"shut-{is_there}"
    shut.mkdir(mode=0o511)
    data = shut if is_there else shut / "data"
    wrapper = (sys.executable, "-c", _OBEY) if os.getuid() == 0 else ()

    words = ("up", "--config", str(example), "--data", str(data))
    ended = programs.run(*words, wrapper=wrapper)

    assert_one_sentence(ended, str(data), "Permission denied")


def _give_to_owner_of(example: Path, folder: Path) -> None:
    owner = example.stat()
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
