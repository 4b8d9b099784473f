"""The data folder: who holds it, what lies where in it, and who may enter it.

    lock                 held for as long as we run; says by which process
    cluster/             Postgres' own data folder
    run/                 the socket, unless this path is too long for one
    postgres-18.6-…/     the programs, copied, where the server's account cannot reach the original
    server.log           since the last start; server.previous.log, the one before

As root, all but `cluster` and `run` belongs to root, so that the server's account cannot change
under our hands what we open.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from libs.common.errors import StartError
from libs.embedded_postgres_server.account import Account

#: A socket's address holds 104 bytes on macOS, 108 on Linux, the name `.s.PGSQL.5432` included.
MAX_SOCKET_FOLDER_BYTES = 85
_SOCKET_PREFIX = "undeliver-postgres-"


@dataclass(frozen=True, slots=True)
class Folder:
    """A data folder that this process holds, and the account that the server runs under."""

    path: Path
    account: Account

    @property
    def cluster(self) -> Path:
        """Postgres' own data folder."""
        return self.path / "cluster"

    @property
    def log(self) -> Path:
        """What the server said since its last start."""
        return self.path / "server.log"

    def major(self) -> str | None:
        """Return the major version that the data belongs to; None while there is none."""
        try:
            return (self.cluster / "PG_VERSION").read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return None

    def pid_file(self) -> list[str]:
        """Return what a server wrote down: pid, data folder, start, port, sockets …; or nothing."""
        try:
            text = (self.cluster / "postmaster.pid").read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        return text.splitlines()

    def give(self, path: Path) -> Path:
        """Create a folder that only the server's account (and root) may enter."""
        path.mkdir(mode=0o700, exist_ok=True)
        path.chmod(0o700)
        if self.account.changes:
            os.chown(path, self.account.uid, self.account.gid)
        return path

    def open_log(self) -> int:
        """Begin a new log, keeping the last one, and return its file descriptor."""
        if self.log.exists():
            self.log.replace(self.log.with_name("server.previous.log"))
        return os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)

    def sync(self) -> None:
        """Make the names in the data folder outlive a crash of the machine."""
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def claim(path: Path, account: Account) -> Iterator[Folder]:
    """Create the data folder if need be and hold it against every other launcher.

    Raises:
        StartError: somebody holds it, or the server could not enter it.
        OSError: it cannot be written.
    """
    path = path.absolute()
    _create(path, account)
    descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        _lock(descriptor, path)
        folder = Folder(path, account)
        _check_access(folder)
        yield folder
    finally:
        os.close(descriptor)  # which also gives the lock back


@contextmanager
def socket_folder(folder: Folder) -> Iterator[Path]:
    """Give the server a folder for its socket, in the data folder unless that path is too long.

    What a killed launcher left elsewhere is removed.

    Raises:
        StartError: no folder is short enough and open to the server's account.
    """
    _forget_last(folder)
    own = folder.path / "run"
    if len(os.fsencode(own)) <= MAX_SOCKET_FOLDER_BYTES:
        yield folder.give(own)
        return
    temporary = Path(tempfile.mkdtemp(prefix=_SOCKET_PREFIX, dir=_short_parent(folder.account)))
    try:
        yield folder.give(temporary)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _forget_last(folder: Folder) -> None:
    last = Path((folder.pid_file() + [""] * 5)[4])
    if last.name.startswith(_SOCKET_PREFIX):
        shutil.rmtree(last, ignore_errors=True)


def _check_access(folder: Folder) -> None:
    account, path = folder.account, folder.path
    if not account.reaches(path):
        raise StartError(
            f"Postgres runs as {account.name}, which cannot enter {path}: choose a data folder "
            "all of whose parents others may enter, such as /var/lib/undeliver."
        )
    if folder.cluster.exists() and folder.cluster.stat().st_uid != account.uid:
        raise StartError(
            f"The data in {path} belongs to {folder.cluster.owner()}, but Postgres would run as "
            f"{account.name}: start it under the account that created it, or choose another data "
            "folder."
        )


def _create(path: Path, account: Account) -> None:
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        # Root's own folders are entered, never listed, by the account that the server runs under.
        folder.mkdir(mode=0o711 if account.changes else 0o700)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        raise StartError(
            f"The data folder {path} is in use by process {holder or 'unknown'}: stop that one "
            "first, or choose another data folder."
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)


def _short_parent(account: Account) -> Path:
    for parent in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 - mkdtemp in it is safe
        longest = parent / (_SOCKET_PREFIX + "12345678")
        if len(os.fsencode(longest)) <= MAX_SOCKET_FOLDER_BYTES and account.reaches(parent):
            return parent
    raise StartError(
        f"No folder for Postgres' socket has a path of at most {MAX_SOCKET_FOLDER_BYTES} bytes: "
        "choose a data folder with a shorter path."
    )
