"""npm packages as a source of servers: installed into `.cache`, none of their scripts run."""

import fcntl
import shutil
import subprocess

from tests.services.choice import UnavailableError
from tests.services.packages import CACHE

_INSTALL_SECONDS = 240.0


class NoNpmError(UnavailableError):
    """There is no npm here, and nobody expects one."""


def node() -> str:
    """Return the program that runs what npm installs.

    Raises:
        NoNpmError: it is not there.
    """
    program = shutil.which("node")
    if program is None or shutil.which("npm") is None:
        raise NoNpmError("no npm")
    return program


def installed(package: str, version: str) -> str:
    """Return the folder of a package, its dependencies beside it. The work is done once.

    Raises:
        UnavailableError: it could not be had.
    """
    done = CACHE.parent / "npm" / f"{package}-{version}"
    done.parent.mkdir(parents=True, exist_ok=True)
    with (done.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another test session may be at it
        if not done.exists():
            unfinished = done.with_name(done.name + ".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            _install(f"{package}@{version}", str(unfinished))
            unfinished.replace(done)
    return str(done / "node_modules" / package)


def _install(package: str, folder: str) -> None:
    options = ("--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev", "--omit=optional")
    try:
        run = subprocess.run(
            ["npm", "install", "--prefix", folder, *options, package],
            capture_output=True,
            timeout=_INSTALL_SECONDS,
            check=False,
            text=True,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"npm: {error}") from error
    if run.returncode != 0:
        raise UnavailableError(f"npm install {package}: {run.stderr.strip()[-300:]}")
