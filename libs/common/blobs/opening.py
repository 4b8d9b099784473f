"""Which store stands behind `Blobs`: chosen by the scheme of its URL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from libs.common.blobs.local import open_local_blobs
from libs.common.blobs.object_address import object_address
from libs.common.blobs.object_opening import open_object_blobs
from libs.common.blobs.port import BlobStore
from libs.common.errors import ConfigurationError

_KNOWN = (
    "not a blob store that is known here; write file:///absolute/path/of/a/folder, "
    "s3://bucket/prefix or az://container/prefix"
)


@asynccontextmanager
async def open_blobs(url: str) -> AsyncIterator[BlobStore]:
    """Open the blob store at a URL.

    `file:///absolute/folder` is made if it is not there; `s3://bucket/prefix?…` and
    `az://container/prefix?…` must be: docs/adr/0008-object-store.md.

    Raises:
        ConfigurationError: not such a URL; never quotes it, as it may hold a secret.
        StartError: the folder cannot be made or written; there is no such container, there are no
            credentials, or they are refused.
        TransientError: the object store does not answer.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ConfigurationError(f"blob URL: {_KNOWN}") from None
    if parts.scheme in {"s3", "az"}:
        async with open_object_blobs(object_address(url)) as objects:
            yield objects
    else:
        async with open_local_blobs(_folder(parts)) as local:
            yield local


def _folder(parts: SplitResult) -> Path:
    folder = Path(unquote(parts.path))
    if parts.scheme != "file" or parts.netloc or not folder.is_absolute():
        raise ConfigurationError(f"{parts.scheme or 'blob URL'}: {_KNOWN}")
    return folder
