"""Debian packages as a source of servers: downloaded and unpacked, never installed, no root.

Lists and packages stay in a folder of ours; the system's own are only read.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.services.choice import UnavailableError

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "packages"

#: Large, and only for what the tests never use: compiling statements.
_NEVER = ("libllvm", "libclang")
_DEPENDS = ("Depends:", "PreDepends:")
_STEP_SECONDS = 300.0


def require_tools() -> None:
    """Say so where this is no Debian.

    Raises:
        UnavailableError: a program is missing.
    """
    missing = [name for name in ("apt-get", "apt-cache", "dpkg", "dpkg-query") if not _which(name)]
    if missing:
        raise UnavailableError(f"no {', '.join(missing)}")


def dependencies(*packages: str) -> list[str]:
    """Return the direct dependencies of packages, alternatives included.

    Raises:
        UnavailableError: apt does not know one, or its lists could not be fetched.
    """
    update()
    lines = _run("apt-cache", *_private(), "depends", "--important", *packages).splitlines()
    named = [line.strip(" |").split() for line in lines if line.startswith(" ")]
    found = [words[1] for words in named if len(words) == 2 and words[0] in _DEPENDS]
    return [name for name in found if not name.startswith("<")]


def unpack(packages: Sequence[str], name: str, *, family: str | None = None) -> Path:
    """Return a folder with the packages and the libraries that this system lacks for them.

    With them come all that they need of a `family`, a prefix such as `erlang-`, installed or not.
    The work is done once; a crash in between leaves nothing that would be taken for the result.

    Raises:
        UnavailableError: a package could not be had.
    """
    done = CACHE / name
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another test session may be at it
        if not done.exists():
            _unpack([*packages, *_needed(packages, family)], done)
    return done


def library_folders(tree: Path) -> tuple[Path, ...]:
    """Return where the dynamic linker finds an unpacked tree's libraries; plug-ins lie deeper."""
    patterns = ("lib/*/*.so.*", "usr/lib/*/*.so.*", "usr/lib/*.so.*")
    return tuple(sorted({path.parent for pattern in patterns for path in tree.glob(pattern)}))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a file to write that takes another's place in one step."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        fresh = Path(folder) / path.name
        yield fresh
        fresh.replace(path)


def update() -> None:
    """Fetch the package lists once.

    Raises:
        UnavailableError: they could not be had.
    """
    lists = CACHE / "lists"
    if lists.exists():
        return
    (lists / "partial").mkdir(parents=True)
    (CACHE / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    try:
        _run("apt-get", *_private(), "update")
    except UnavailableError:
        shutil.rmtree(lists)
        raise


def _unpack(packages: Iterable[str], done: Path) -> None:
    unfinished = done.with_name(done.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    downloads = unfinished / "downloads"
    downloads.mkdir(parents=True)
    _run("apt-get", *_private(), "download", *packages, folder=downloads)
    for package in downloads.glob("*.deb"):
        _run("dpkg", "-x", str(package), str(unfinished))
    shutil.rmtree(downloads)
    unfinished.replace(done)


def _needed(packages: Sequence[str], family: str | None) -> list[str]:
    """Follow the dependencies through libraries that are not installed, and through the family."""
    installed = set(_run("dpkg-query", "-W", "-f", "${Package}\n").splitlines())
    found: list[str] = []
    waiting = list(packages)
    while waiting:
        named = sorted(set(dependencies(*waiting)) - set(found) - set(packages))
        waiting = [
            name
            for name in named
            if (family and name.startswith(family))
            or (name not in installed and _is_needed_library(name))
        ]
        found += waiting
    return found


def _is_needed_library(name: str) -> bool:
    return name.startswith("lib") and not name.startswith(_NEVER)


def _private() -> list[str]:
    options = {
        "Dir::State::Lists": CACHE / "lists",
        "Dir::Cache": CACHE / "cache",
        "Dir::Cache::Archives": CACHE / "archives",
        "APT::Sandbox::User": "root" if os.getuid() == 0 else str(os.getuid()),
        "Debug::NoLocking": 1,
        "Acquire::Retries": 3,
    }
    return [part for name, value in options.items() for part in ("-o", f"{name}={value}")]


def _run(program: str, *arguments: str, folder: Path | None = None) -> str:
    try:
        run = subprocess.run(
            [program, *arguments],
            cwd=folder,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
            capture_output=True,
            timeout=_STEP_SECONDS,
            check=False,
            text=True,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{program}: {error}") from error
    if run.returncode != 0:
        raise UnavailableError(f"{program} {arguments[-1]}: {run.stderr.strip()[:300]}")
    return run.stdout


def _which(name: str) -> str | None:
    return shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
