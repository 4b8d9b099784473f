"""The server of a launcher that was killed: it may need a moment to end, or a signal to do so."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from libs.common.clock import Clock
from libs.common.errors import StartError
from libs.embedded_postgres_server.folder import Folder

_LIMIT_SECONDS = 60.0
_POLL_SECONDS = 0.05
_PROCESSES = Path("/proc")


async def wait_out(folder: Folder, clock: Clock) -> None:
    """Return when no process uses the cluster any more. Only who holds the folder may call this.

    Raises:
        StartError: some still do after a minute.
    """
    deadline = clock.monotonic() + _LIMIT_SECONDS
    told: set[int] = set()
    while users := _users(folder):
        if clock.monotonic() > deadline:
            raise StartError(
                f"The data folder {folder.path} is still used by a Postgres that nobody leads "
                f"(process {min(users)}): stop that process first."
            )
        for pid in users - told:
            _end(pid)
        told |= users
        await clock.sleep(_POLL_SECONDS)


def _users(folder: Folder) -> set[int]:
    """Return who works in the cluster: the server and all its children do, for all their life."""
    if not folder.pid_file():
        return set()
    if not _PROCESSES.is_dir():
        return _leader(folder)
    cluster = str(folder.cluster.resolve())
    numbers = (int(entry.name) for entry in _PROCESSES.iterdir() if entry.name.isdigit())
    return {pid for pid in numbers if _is_postgres_in(cluster, _PROCESSES / str(pid))}


def _is_postgres_in(cluster: str, entry: Path) -> bool:
    try:
        name = (entry / "comm").read_text(encoding="utf-8", errors="replace").strip()
        return name == "postgres" and str((entry / "cwd").readlink()) == cluster
    except OSError:  # it has ended, or belongs to somebody else
        return False


def _leader(folder: Folder) -> set[int]:
    """Ask `ps`, where there is no /proc: a number may have passed to another program."""
    pid, ps = folder.pid_file()[0].strip(), shutil.which("ps")
    if ps is None or not pid.isdigit():
        return set()
    # The system's own `ps`, and digits of our own pid file.
    command = [ps, "-o", "command=", "-p", pid]
    answer = subprocess.run(command, capture_output=True, check=False, text=True)  # noqa: S603
    return {int(pid)} if str(folder.cluster) in answer.stdout else set()


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGINT)  # the server: fast shutdown; its children: cancel the statement
    except ProcessLookupError:
        return
