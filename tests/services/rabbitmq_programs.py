"""RabbitMQ's programs: installed ones, or Debian's, unpacked."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.services import packages
from tests.services.choice import UnavailableError

#: Quorum queues dead-letter at least once, and know a time to live, only from here on.
OLDEST = (3, 10)
_PACKAGE = "rabbitmq-server"
_SYSTEM = "/usr/sbin:/usr/bin:/sbin:/bin"
_DEBIAN = "usr/lib/rabbitmq/bin/rabbitmq-server"
#: Debian's `erl` knows where it was installed, and nothing else.
_ERLANG_HOME = "ROOTDIR=/usr/lib/erlang"


@dataclass(frozen=True, slots=True)
class Programs:
    """What runs a broker: its start script, and the Erlang under it."""

    server: Path
    erlang: Path
    version: str
    libraries: tuple[Path, ...] = ()

    def environment(self) -> dict[str, str]:
        """Return what these programs need to find each other."""
        found = {"PATH": f"{self.erlang}:{_SYSTEM}", "LC_ALL": "C.UTF-8"}
        if self.libraries:
            found["LD_LIBRARY_PATH"] = ":".join(map(str, self.libraries))
        return found


def installed() -> Programs:
    """Return the programs of this system.

    Raises:
        UnavailableError: there are none, or they are too old.
    """
    scripts = list(filter(_is_start_script, _candidates()))
    if not scripts:
        raise UnavailableError("rabbitmq-server is not installed")
    erlang = shutil.which("erl")
    if erlang is None:
        raise UnavailableError("no erl on PATH")
    return _probe(scripts[0], Path(erlang).parent)


def unpacked() -> Programs:
    """Return Debian's programs from a folder of ours; the first time, this downloads them.

    Raises:
        UnavailableError: this is no Debian, its packages could not be had, or are too old.
    """
    packages.require_tools()
    tree = packages.unpack([_PACKAGE], _PACKAGE, family="erlang-")
    erlang = relocated(tree / "usr" / "lib" / "erlang")
    return _probe(tree / _DEBIAN, erlang / "bin", packages.library_folders(tree))


def relocated(erlang: Path) -> Path:
    """Let an unpacked Erlang run where it lies, wherever the folder is moved to."""
    _relocate(erlang / "bin" / "erl", "..")
    for script in erlang.glob("erts-*/bin/erl"):
        _relocate(script, "../..")
    return erlang


def find() -> Programs:
    """Return the installed programs, or else the unpacked ones.

    Raises:
        UnavailableError: there are neither.
    """
    try:
        return installed()
    except UnavailableError as missing:
        try:
            return unpacked()
        except UnavailableError as error:
            raise UnavailableError(f"{missing}; {error}") from error


def check_version(version: str) -> None:
    """Refuse what lacks features that we rely on.

    Raises:
        UnavailableError: it is older than 3.10.
    """
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if numbers < OLDEST:
        raise UnavailableError(
            f"RabbitMQ {version} is older than {'.'.join(map(str, OLDEST))}, and its quorum queues"
            " can lose what they dead-letter"
        )


def _candidates() -> Iterator[Path]:
    yield Path("/") / _DEBIAN
    if found := shutil.which("rabbitmq-server"):
        yield Path(found)


def _is_start_script(path: Path) -> bool:
    """Tell the script from Debian's wrapper around it, which insists on another account."""
    return (path.resolve().parent / "rabbitmq-env").exists()


def _probe(server: Path, erlang: Path, libraries: tuple[Path, ...] = ()) -> Programs:
    plugins = server.resolve().parents[1] / "plugins"
    versions = [re.fullmatch(r"rabbit-(\d.*?)(\.ez)?", path.name) for path in plugins.glob("*")]
    known = [match[1] for match in versions if match]
    if not known:
        raise UnavailableError(f"{server} does not say its version")
    check_version(known[0])
    return Programs(server, erlang, known[0], libraries)


def _relocate(script: Path, home: str) -> None:
    text = script.read_text(encoding="utf-8")
    if _ERLANG_HOME not in text:
        return
    moved = text.replace(_ERLANG_HOME, f'ROOTDIR=$(cd "$progdir/{home}" && pwd)')
    # Whole or not at all: another session may be starting it.
    with packages.replacing(script) as fresh:
        fresh.write_text(moved, encoding="utf-8")
        fresh.chmod(0o755)
