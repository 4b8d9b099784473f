"""Which store stands behind `Blobs`: chosen by the scheme of its URL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from libs.common.blobs.local import open_local_blobs
from libs.common.blobs.port import BlobStore
from libs.common.errors import ConfigurationError


@asynccontextmanager
async def open_blobs(url: str) -> AsyncIterator[BlobStore]:
    """Open the blob store at `file:///absolute/folder`, made if it is not there.

    Raises:
        ConfigurationError: not such a URL; never quotes it, as it may hold a secret.
        StartError: the folder cannot be made or written.
    """
    parts = urlsplit(url)
    async with open_local_blobs(_folder(parts)) as blobs:
        yield blobs


def _folder(parts: SplitResult) -> Path:
    folder = Path(unquote(parts.path))
    if parts.scheme != "file" or parts.netloc or not folder.is_absolute():
        raise ConfigurationError(
            f"{parts.scheme or 'blob URL'}: not a blob store that is known here; "
            "write file:///absolute/path/of/a/folder"
        )
    return folder
