"""Opens an object store: what is wrong for good is said at the start, in one sentence."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from obstore.exceptions import BaseError
from obstore.store import AzureStore, S3Store

from libs.common.blobs.object_address import ObjectAddress
from libs.common.blobs.object_errors import raise_if_hopeless, translated, unusable
from libs.common.blobs.object_store import NOTHING, ObjectBlobs
from libs.common.clock import SystemClock
from libs.common.errors import ConfigurationError

if TYPE_CHECKING:  # obstore has them for type checkers only
    from obstore.store import AzureConfig, ClientConfig, RetryConfig, S3Config

_CONNECT_SECONDS = 5.0
#: Without a byte from the server; a part of 8 MiB must be up in this time, too.
_SILENCE_SECONDS = 20.0
_REQUEST_SECONDS = 120.0
#: The only place where requests are repeated: what passes at once is not worth a 451, which costs
#: minutes. What lasts longer is for the caller's own retry.
_RETRY: "RetryConfig" = {
    "max_retries": 2,
    "retry_timeout": timedelta(seconds=15),
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=2),
        "base": 2,
    },
}
_FIRST_ANSWER_SECONDS = 15.0
#: obstore's threads hand results to the event loop, and abort a process that is ending meanwhile
#: (PyO3/pyo3-async-runtimes#40). Nothing is under way any more: they need milliseconds.
_SETTLE_SECONDS = 0.05


@asynccontextmanager
async def open_object_blobs(address: ObjectAddress) -> AsyncIterator[ObjectBlobs]:
    """Open the store, and look whether its container is there.

    Raises:
        ConfigurationError: the address lacks something.
        StartError: no such container, no credentials, or they are refused.
        TransientError: it does not answer.
    """
    store = await asyncio.to_thread(_store, address)
    try:
        await _look(store, address)
        yield ObjectBlobs(store)
    finally:
        await SystemClock().sleep(_SETTLE_SECONDS)


async def _look(store: S3Store | AzureStore, address: ObjectAddress) -> None:
    with translated():
        try:
            async with asyncio.timeout(_FIRST_ANSWER_SECONDS):
                await store.list_with_delimiter_async(NOTHING)
        except (BaseError, FileNotFoundError) as error:
            raise_if_hopeless(error, address)
            raise


def _store(address: ObjectAddress) -> S3Store | AzureStore:
    """Make the client. Credentials it finds by itself, where its kind of store keeps them."""
    try:
        return _s3(address) if address.kind == "s3" else _azure(address)
    except (BaseError, ValueError) as error:
        # The text may quote what is wrong with a secret.
        raise ConfigurationError(f"{address}: {unusable(error)}") from None


def _s3(address: ObjectAddress) -> S3Store:
    config: S3Config = {
        # The server compares: what is broken on its way is refused.
        "checksum_algorithm": "SHA256",
        # The request for many at once, which obstore sends for one as well, is not everywhere.
        "disable_bulk_delete": True,
        "virtual_hosted_style_request": not address.is_path_style,
    }
    if address.endpoint:
        config["endpoint"] = address.endpoint
    if address.region:
        config["region"] = address.region
    return S3Store(
        address.container,
        prefix=address.prefix,
        config=config,
        client_options=_client(address),
        retry_config=_RETRY,
    )


def _azure(address: ObjectAddress) -> AzureStore:
    config: AzureConfig = {}
    if address.endpoint:
        config["endpoint"] = address.endpoint
    if address.account:
        config["account_name"] = address.account
    return AzureStore(
        address.container,
        prefix=address.prefix,
        config=config,
        client_options=_client(address),
        retry_config=_RETRY,
    )


def _client(address: ObjectAddress) -> "ClientConfig":
    options: ClientConfig = {
        "allow_http": address.is_http_allowed,
        "connect_timeout": timedelta(seconds=_CONNECT_SECONDS),
        "read_timeout": timedelta(seconds=_SILENCE_SECONDS),
        "timeout": timedelta(seconds=_REQUEST_SECONDS),
        "user_agent": "undeliver",
    }
    if address.ca_file is not None:
        try:
            options["root_certificate"] = address.ca_file.read_bytes()
        except OSError as error:
            raise ConfigurationError(
                f"{address}: `ca_file` {address.ca_file}: {error.strerror}"
            ) from error
    return options
