"""What lies in a local blob folder, read a page at a time. Everything here blocks."""

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from libs.common.blobs.keys import is_day, is_key
from libs.common.blobs.port import StoredBlob

#: As many as object stores give at once.
_PAGE = 1000


def day_folders(folder: Path) -> Sequence[str]:
    """Return the days of all tenants, sorted. See `BlobListing.days`."""
    found = (path.relative_to(folder).as_posix() for path in folder.glob("*/*/*/*"))
    return sorted(day for day in found if is_day(day))


@contextmanager
def open_page_reader(folder: Path, day: str) -> Iterator[Callable[[], Sequence[StoredBlob]]]:
    """Give what returns the next page of a day's blobs, and nothing after the last.

    Of a folder with a million files only a page is in memory.
    """
    blobs = _blobs(folder / day, day)

    def next_page() -> Sequence[StoredBlob]:
        return list(islice(blobs, _PAGE))

    try:
        yield next_page
    finally:
        blobs.close()


def _blobs(path: Path, day: str) -> Generator[StoredBlob, None, None]:
    try:
        entries = os.scandir(path)
    except FileNotFoundError:
        return
    with entries:
        for entry in entries:
            key = f"{day}/{entry.name}"
            if not is_key(key):
                continue
            try:
                modified = entry.stat(follow_symlinks=False).st_mtime
            except FileNotFoundError:
                continue  # deleted meanwhile
            yield StoredBlob(key, datetime.fromtimestamp(modified, UTC))
