"""From an empty folder to a cluster, and from a cluster to a server that answers."""

import os
import secrets
import shutil
from asyncio.subprocess import Process
from pathlib import Path

from libs.common.clock import Clock
from libs.common.errors import StartError
from libs.embedded_postgres_server import process
from libs.embedded_postgres_server.binaries import Binaries
from libs.embedded_postgres_server.folder import Folder

SUPERUSER = "postgres"
START_LIMIT_SECONDS = 60.0
_POLL_SECONDS = 0.02

#: The log stays small and holds no mail: errors of statements go to the client that caused them.
_QUIET = {
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}
#: For data that may be lost with the machine. Without `synchronous_commit=off`, which gains nothing
#: here and loses rows when only the server dies.
_CARELESS = {"fsync": "off", "full_page_writes": "off"}


async def initialise(binaries: Binaries, folder: Folder, *, durable: bool) -> None:
    """Create the cluster where there is none; a crash in between leaves none, never half of one.

    Raises:
        StartError: `initdb` failed, or the cluster belongs to another major version.
    """
    major = folder.major()
    if major is not None:
        _check_major(major, binaries, folder)
        return
    unfinished = _empty(folder)
    password_file = _password_file(folder)
    try:
        await process.run(
            binaries,
            folder.account,
            "initdb",
            *("--pgdata", str(unfinished), "--username", SUPERUSER, "--pwfile", str(password_file)),
            *("--encoding", "UTF8", "--no-locale"),
            # The socket's folder admits the server's own account only.
            *("--auth-local", "trust", "--auth-host", "scram-sha-256"),
            *(() if durable else ("--no-sync",)),
        )
    finally:
        password_file.unlink()
    unfinished.replace(folder.cluster)
    if durable:
        folder.sync()


def options(sockets: Path, port: int, *, tcp: bool, durable: bool) -> list[str]:
    """Return the server's arguments: no TCP at all unless asked for, and then loopback only."""
    settings = _QUIET if durable else _QUIET | _CARELESS
    return [
        *("-k", str(sockets), "-h", "127.0.0.1" if tcp else "", "-p", str(port)),
        *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
    ]


async def wait_until_ready(child: Process, folder: Folder, clock: Clock) -> None:
    """Return when the server accepts connections, crash recovery included.

    Raises:
        StartError: it ended, or did not get ready in time.
    """
    deadline = clock.monotonic() + START_LIMIT_SECONDS
    while not _is_ready(folder, child.pid):
        if child.returncode is not None:
            raise StartError(f"Postgres did not start: {_last_words(folder)}")
        if clock.monotonic() > deadline:
            raise StartError(f"Postgres was not ready after {START_LIMIT_SECONDS:.0f} seconds.")
        await clock.sleep(_POLL_SECONDS)


def _check_major(major: str, binaries: Binaries, folder: Folder) -> None:
    if major != binaries.major:
        raise StartError(
            f"The data folder {folder.path} belongs to Postgres {major}, but the Postgres found "
            f"({binaries.origin}, {binaries.folder}) is {binaries.version}: name the folder of "
            f"Postgres {major}'s programs in UNDELIVER_PG_BIN, or choose another data folder."
        )


def _empty(folder: Folder) -> Path:
    """Give `initdb` a folder of its own: one that was killed may still be writing in another."""
    for left in folder.path.glob("unfinished-cluster-*"):
        shutil.rmtree(left, ignore_errors=True)
    return folder.give(folder.path / f"unfinished-cluster-{secrets.token_hex(4)}")


def _password_file(folder: Folder) -> Path:
    """Write a password that nobody learns: `initdb` wants one, and TCP logins get their own."""
    path = folder.path / "password"
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(32))
        if folder.account.changes:
            os.fchown(file.fileno(), folder.account.uid, folder.account.gid)
    return path


def _is_ready(folder: Folder, pid: int) -> bool:
    lines = folder.pid_file()
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _last_words(folder: Folder) -> str:
    return process.first_error(folder.log.read_text(encoding="utf-8", errors="replace"))
