"""Nothing is left behind and nothing committed is lost, whoever dies."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from libs.embedded_postgres_server import Binaries, serve
from tests.embedded_postgres_server.conftest import connected, is_there, until

_ROOT = Path(__file__).parents[2]


async def _killed_parent(data_folder: Path, programs: Binaries, *, stall: bool = False) -> int:
    """Run a launcher, let its server commit a row, kill the launcher alone; say who serves.

    With `stall` the server does not get to its shutdown before somebody lets it go on.
    """
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.embedded_postgres_server.parent"),
        *(str(data_folder), str(programs.folder)),
        cwd=_ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    if stall:
        os.kill(pid, signal.SIGSTOP)
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    return pid


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next start ends it")
async def test_the_server_ends_when_its_launcher_is_killed(data_folder, programs):
    pid = await _killed_parent(data_folder, programs)

    await until(lambda: not is_there(Path(f"/proc/{pid}")))


async def test_a_start_while_the_last_server_still_ends_waits_and_finds_all_that_was_committed(
    data_folder, programs
):
    first = await _killed_parent(data_folder, programs, stall=True)
    asyncio.get_running_loop().call_later(0.5, os.kill, first, signal.SIGCONT)

    async with (
        serve(data_folder, binaries=programs) as server,
        connected(server.dsn()) as connection,
    ):
        assert server.pid != first
        assert await connection.fetchval("select note from notes") == "kept"


async def test_a_start_after_a_kill_clears_the_socket_away_that_was_left_elsewhere(
    data_folder, programs
):
    deep = data_folder.rename(data_folder.with_name("long" * 20))
    await _killed_parent(deep, programs)
    left = Path((deep / "cluster" / "postmaster.pid").read_text().splitlines()[4])

    async with serve(deep, binaries=programs, durable=False):
        assert not is_there(left)


async def test_a_server_that_is_killed_is_started_again_under_the_same_address(
    data_folder, serve_programs
):
    async with serve_programs(data_folder) as server, asyncio.TaskGroup() as tasks:
        supervision = tasks.create_task(server.supervise())
        first, address = server.pid, server.dsn()
        async with connected(address) as connection:
            await connection.execute("create table notes as select 'kept' as note")

        os.kill(first, signal.SIGKILL)

        await until(lambda: server.pid != first)
        async with connected(address) as connection:
            assert await connection.fetchval("select note from notes") == "kept"
        supervision.cancel()
