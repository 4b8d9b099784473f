"""Where private servers keep their data."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Linux keeps this one in memory: on a busy disk a test's database takes ten times as long.
_MEMORY = Path("/dev/shm")
_PREFIX = "undeliver-test-"
_ENOUGH_BYTES = 4 * 1024**3


@contextmanager
def open_place() -> Iterator[Path]:
    """Give a folder of our own that every account may enter: as root, the server is another one."""
    parent = _MEMORY if _is_fit(_MEMORY) else Path(tempfile.gettempdir())
    _clear(parent)
    with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent) as name:
        Path(name).chmod(0o711)
        yield Path(name)


def _clear(parent: Path) -> None:
    """Remove what sessions left that were killed: memory is dear."""
    for left in parent.glob(_PREFIX + "*-*"):
        pid = left.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdigit() and not _is_alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def _is_fit(folder: Path) -> bool:
    """Tell whether the folder has room, and lets programs run that were copied there."""
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    runs_programs = not os.statvfs(folder).f_flag & os.ST_NOEXEC
    return runs_programs and shutil.disk_usage(folder).free >= _ENOUGH_BYTES
