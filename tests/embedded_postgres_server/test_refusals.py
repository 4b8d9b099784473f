"""What is in the way of a start is said in one sentence."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.common.errors import StartError


@pytest.fixture
def read_only(place: Path) -> Iterator[Path]:
    """Give a folder that we may not write; root lends its privileges away for that."""
    place.chmod(0o511)
    if os.getuid() == 0:
        os.seteuid(65534)
    try:
        yield place
    finally:
        os.seteuid(os.getuid())
        place.chmod(0o711)


async def test_a_second_launcher_on_the_same_folder_learns_who_holds_it(
    data_folder, serve_programs
):
    async with serve_programs(data_folder):
        with pytest.raises(StartError, match=rf"in use by process {os.getpid()}\b"):
            async with serve_programs(data_folder):
                pass


async def test_data_of_another_major_version_is_refused_with_both_versions(
    data_folder, serve_programs, programs
):
    (data_folder / "cluster" / "PG_VERSION").write_text("13\n")

    for _ in range(2):  # a refusal leaves the folder free
        with pytest.raises(StartError, match="belongs to Postgres 13") as refusal:
            async with serve_programs(data_folder):
                pass

    assert programs.version in str(refusal.value)
    assert "UNDELIVER_PG_BIN" in str(refusal.value)


async def test_a_folder_that_may_not_be_written_is_named(serve_programs, read_only):
    with pytest.raises(StartError, match=rf"{re.escape(str(read_only))}.*Permission denied"):
        async with serve_programs(read_only / "new" / "postgres"):
            pass


async def test_a_file_in_the_place_of_the_folder_is_named(place, serve_programs):
    (place / "file").write_text("")

    with pytest.raises(StartError, match=rf"{re.escape(str(place / 'file'))}"):
        async with serve_programs(place / "file" / "postgres"):
            pass


async def test_broken_data_is_refused_with_what_postgres_says(data_folder, serve_programs):
    (data_folder / "cluster" / "global" / "pg_control").write_bytes(b"")

    with pytest.raises(StartError, match=r"did not start: .*pg_control"):
        async with serve_programs(data_folder):
            pass


async def test_what_a_killed_first_start_left_is_no_cluster(place, serve_programs):
    left = place / "postgres" / "unfinished-cluster-0"
    left.mkdir(parents=True)
    (left / "PG_VERSION").write_text("18\n")

    async with serve_programs(place / "postgres"):
        assert not left.exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root runs the server under another account")
async def test_root_is_told_of_parents_that_the_servers_account_cannot_enter(place, serve_programs):
    shut = place / "shut"
    shut.mkdir(mode=0o700)

    with pytest.raises(StartError, match="cannot enter"):
        async with serve_programs(shut / "postgres"):
            pass

    assert shut.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
async def test_data_of_another_account_is_refused(data_folder, serve_programs):
    os.chown(data_folder / "cluster", 2, 2)

    with pytest.raises(StartError, match="belongs to bin"):
        async with serve_programs(data_folder):
            pass
