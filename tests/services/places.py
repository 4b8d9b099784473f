"""Where private servers keep their data."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def open_place() -> Iterator[Path]:
    """Give a folder of our own that every account may enter: as root, the server is another one."""
    with tempfile.TemporaryDirectory(prefix="undeliver-test-") as name:
        Path(name).chmod(0o711)
        yield Path(name)
