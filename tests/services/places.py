"""Where private servers keep their data."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Linux keeps this one in memory: on a busy disk a test's database takes ten times as long.
_MEMORY = Path("/dev/shm")
_ENOUGH_BYTES = 4 * 1024**3


@contextmanager
def open_place() -> Iterator[Path]:
    """Give a folder of our own that every account may enter: as root, the server is another one."""
    parent = _MEMORY if _is_fit(_MEMORY) else None
    with tempfile.TemporaryDirectory(prefix="undeliver-test-", dir=parent) as name:
        Path(name).chmod(0o711)
        yield Path(name)


def _is_fit(folder: Path) -> bool:
    """Tell whether the folder has room, and lets programs run that were copied there."""
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    runs_programs = not os.statvfs(folder).f_flag & os.ST_NOEXEC
    return runs_programs and shutil.disk_usage(folder).free >= _ENOUGH_BYTES
