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


def server_account(cluster: Path) -> Account:
    """Return who runs the server: ourselves, or for root an account without privileges.

    The one that owns `cluster`, if it exists, goes first: a `postgres` account may have come later.

    Raises:
        StartError: we have no account, or we are root and there is none to change to.
    """
    if os.getuid() != 0:
        return Account(_own_name(), os.getuid(), os.getgid(), changes=False)
    found = [account for account in map(_unprivileged, _UNPRIVILEGED) if account is not None]
    if not found:
        raise StartError(
            "Postgres refuses to run as root, and this machine has neither the account `postgres` "
            "nor `nobody` to run it under."
        )
    return next((account for account in found if _owns(account, cluster)), found[0])


def _unprivileged(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, changes=True)


def _owns(account: Account, path: Path) -> bool:
    return path.exists() and path.stat().st_uid == account.uid


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError as error:
        raise StartError(
            f"Postgres needs an account with a name, and user id {os.getuid()} has none on this "
            "machine: add one to /etc/passwd."
        ) from error
