"""Which RabbitMQ serves, and what a session does without one."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.services import packages
from tests.services.choice import UnavailableError
from tests.services.rabbitmq import choose_rabbitmq
from tests.services.rabbitmq_programs import check_version, installed
from tests.services.sessions import run_session

_NEEDS_ONE = "async def test_it_is_there(vhost):\n    pass\n"
_NEEDS_NONE = """
from pathlib import Path

def test_this_session_has_started_nothing():
    children = [path.read_text() for path in Path("/proc/self/task").glob("*/children")]
    assert children and not any(children)
"""
_NOWHERE = """
from tests.services import rabbitmq
rabbitmq._STEPS = {"env": rabbitmq._env}
from tests.conftest import *
"""


def _program(folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("#!/bin/sh\n", encoding="ascii")
    (folder / name).chmod(0o755)


def _install(folder: Path, version: str) -> Path:
    """Make an installation of a version as far as looking for it goes; return its programs."""
    for name in ("rabbitmq-server", "rabbitmq-env", "erl"):
        _program(folder / "sbin", name)
    (folder / "plugins" / f"rabbit-{version}").mkdir(parents=True)
    return folder / "sbin"


def test_the_header_says_which_one_serves(tmp_path):
    said = run_session(tmp_path, _NEEDS_NONE, TEST_SERVICES=os.environ.get("TEST_SERVICES", ""))

    assert choose_rabbitmq().headline() in said
    assert "1 passed" in said  # and nothing was started for it


def test_a_step_that_is_forced_and_has_none_fails(tmp_path):
    said = run_session(tmp_path, _NEEDS_ONE, TEST_SERVICES="rabbitmq=env", TEST_AMQP_URL="")

    assert "rabbitmq: none; env: TEST_AMQP_URL is not set" in said
    assert "1 error" in said


def test_without_any_the_tests_are_skipped_and_say_why(tmp_path):
    said = run_session(tmp_path, _NEEDS_ONE, conftest=_NOWHERE, TEST_SERVICES="", TEST_AMQP_URL="")

    assert "docker: not for rabbitmq" in said
    assert "1 skipped" in said


def test_on_ci_a_missing_one_fails(tmp_path):
    said = run_session(
        tmp_path, _NEEDS_ONE, conftest=_NOWHERE, TEST_SERVICES="", TEST_AMQP_URL="", CI="true"
    )

    assert "1 error" in said


@pytest.mark.parametrize("version", ["3.9.27", "3.8.2", "2.8"])
def test_a_version_that_can_lose_dead_letters_is_refused(version):
    with pytest.raises(UnavailableError, match=r"older than 3\.10"):
        check_version(version)


@pytest.mark.parametrize("version", ["3.10.8", "3.13.7", "4.1.0-rc.1"])
def test_every_later_version_will_do(version):
    check_version(version)


def test_an_installed_one_that_is_too_old_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(_install(tmp_path, "3.9.13")))

    with pytest.raises(UnavailableError, match=r"RabbitMQ 3\.9\.13 is older"):
        installed()


def test_an_installed_one_is_found_with_its_erlang(tmp_path, monkeypatch):
    folder = _install(tmp_path, "4.1.3")
    monkeypatch.setenv("PATH", str(folder))

    found = installed()

    assert (found.version, found.erlang) == ("4.1.3", folder)


def test_a_wrapper_around_the_start_script_is_not_taken_for_it(tmp_path, monkeypatch):
    _program(tmp_path, "rabbitmq-server")
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UnavailableError, match="not installed"):
        installed()


def test_an_unpacked_erlang_runs_wherever_it_is_moved_to(tmp_path):
    unpacked = packages.CACHE / "rabbitmq-server" / "usr" / "lib" / "erlang"
    if not unpacked.exists():
        pytest.skip("nothing was unpacked here")
    moved = tmp_path / "moved"
    shutil.copytree(unpacked, moved, symlinks=True)
    ask = 'io:format("~s", [code:root_dir()]), halt().'

    for erl in ("bin/erl", next(moved.glob("erts-*/bin/erl"))):
        answer = subprocess.run(
            [moved / erl, "-noshell", "-eval", ask], capture_output=True, text=True, check=True
        )
        assert answer.stdout == str(moved)
