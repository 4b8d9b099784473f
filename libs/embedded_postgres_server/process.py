"""Postgres' programs as children on a leash: none outlives this process."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from pathlib import Path

from libs.common.errors import StartError
from libs.embedded_postgres_server import leash
from libs.embedded_postgres_server.account import Account
from libs.embedded_postgres_server.binaries import Binaries
from libs.embedded_postgres_server.folder import Folder

RUN_LIMIT_SECONDS = 60.0
#: How long each signal may take before the next, harder one: fast shutdown, immediate shutdown.
_PATIENCE_SECONDS = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))


async def run(binaries: Binaries, account: Account, program: str, *arguments: str) -> str:
    """Run a program to its end and return what it printed.

    Raises:
        StartError: it failed, with the first error that it named, or took more than a minute.
    """
    child = await asyncio.create_subprocess_exec(
        *_leashed(binaries, account, program, arguments),
        env=binaries.environment(),
        cwd="/",
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(RUN_LIMIT_SECONDS):
            printed = (await child.communicate())[0].decode("utf-8", "replace")
    except TimeoutError as error:
        raise StartError(f"{program} took more than {RUN_LIMIT_SECONDS:.0f} seconds.") from error
    finally:
        await stop(child)
    if child.returncode != 0:
        raise StartError(f"{program} failed: {first_error(printed)}")
    return printed


async def spawn(binaries: Binaries, folder: Folder, *arguments: str) -> Process:
    """Start the server; what it says goes to the folder's log.

    In a session of its own: Ctrl-C in a terminal is for us, and we stop the server last.
    """
    log = folder.open_log()
    try:
        return await asyncio.create_subprocess_exec(
            *_leashed(binaries, folder.account, "postgres", arguments),
            env=binaries.environment(),
            cwd="/",
            stdin=DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    finally:
        os.close(log)


async def stop(child: Process) -> None:
    """Stop a child, if it runs: politely, then harder. Returns when it is gone."""
    try:
        for number, seconds in _PATIENCE_SECONDS if child.returncode is None else ():
            _signal(child, number)
            try:
                await asyncio.wait_for(child.wait(), seconds)
            except TimeoutError:
                continue
            return
    except asyncio.CancelledError:
        _signal(child, signal.SIGQUIT)
        raise


def first_error(printed: str) -> str:
    """Return the line of a program's output that says what went wrong."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    wrong = [line for line in lines if "FATAL" in line or "PANIC" in line or "error:" in line]
    return (wrong or lines or ["it said nothing"])[0]


def _signal(child: Process, number: signal.Signals) -> None:
    if child.returncode is None:
        try:
            child.send_signal(number)
        except ProcessLookupError:
            return


def _leashed(
    binaries: Binaries, account: Account, program: str, arguments: tuple[str, ...]
) -> list[str]:
    uid, gid = (account.uid, account.gid) if account.changes else (-1, -1)
    return [
        *(sys.executable, "-I", "-S", str(Path(leash.__file__))),
        *(str(os.getpid()), str(uid), str(gid)),
        *(str(binaries.program(program)), *arguments),
    ]
