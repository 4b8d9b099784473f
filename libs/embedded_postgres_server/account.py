"""Under which account Postgres runs, since it refuses to be root."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from libs.common.errors import StartError

#: In order. `initdb` looks the name up, so a bare number would not do; nobody exists everywhere.
_UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """A system account. `changes` says whether a process of ours must become it first."""

    name: str
    uid: int
    gid: int
    changes: bool

    def reaches(self, path: Path) -> bool:
        """Tell whether this account may enter every folder down to `path` and read it there."""
        if not self.changes:
            return os.access(path, os.R_OK | os.X_OK)
        path = path.resolve()
        return all(self._may_enter(folder) for folder in (path, *path.parents))

    def _may_enter(self, path: Path) -> bool:
        status = path.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def server_account() -> Account:
    """Return who runs the server: ourselves, or for root an account without privileges.

    Raises:
        StartError: we are root, and there is no account to change to.
    """
    if os.getuid() != 0:
        return Account(_own_name(), os.getuid(), os.getgid(), changes=False)
    for name in _UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, changes=True)
    raise StartError(
        "Postgres refuses to run as root, and this machine has neither the account `postgres` nor "
        "`nobody` to run it under."
    )


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError as error:
        raise StartError(
            f"Postgres needs an account with a name, and user id {os.getuid()} has none on this "
            "machine: add one to /etc/passwd."
        ) from error
