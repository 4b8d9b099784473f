"""Object stores at the wire: moto for S3, Azurite for Azure Blob Storage."""

import base64
import hmac
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote
from urllib.request import Request, urlopen
from uuid import uuid4

from tests.services import npm_packages
from tests.services.choice import UnavailableError

_AZURITE = "3.35.0"  # later ones ask for a Node.js that Debian has not
_ACCOUNT = "undelivertest"
_ACCOUNT_KEY = base64.b64encode(b"no secret, of a test".ljust(64)).decode()
_LEASH = Path(__file__).with_name("leash.py")
_VERSION = "2021-08-06"

#: No proxy stands between us and this machine.
_DIRECT = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


@dataclass(frozen=True)
class ObjectServer:
    """A server of one kind of object store, with as many containers as tests want."""

    kind: str
    address: str
    #: What the environment must have for its clients.
    environment: Mapping[str, str] = field(repr=False)

    def fresh(self) -> str:
        """Make a container and return its name."""
        name = f"mail-{uuid4().hex}"
        (_make_bucket if self.kind == "s3" else _make_container)(self.address, name)
        return name

    def url(self, container: str, prefix: str = "", *, address: str | None = None) -> str:
        """Return how we write such a container; `address` is another way to the same server."""
        host = address or self.address
        options = {
            "s3": f"endpoint={quote(host)}&region=eu-central-1&allow_http=true",
            "az": f"endpoint={quote(f'{host}/{_ACCOUNT}')}&account={_ACCOUNT}&allow_http=true",
        }
        return f"{self.kind}://{container}{prefix}?{options[self.kind]}"


@contextmanager
def s3() -> Iterator[ObjectServer]:
    """Give an S3, by moto, in a thread of this process."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", **_DIRECT}
        yield ObjectServer("s3", f"http://{host}:{port}", keys)
    finally:
        server.stop()


@contextmanager
def azure() -> Iterator[ObjectServer]:
    """Give an Azure Blob Storage, by Azurite, which proves signatures as Azure does.

    Raises:
        UnavailableError: it cannot be had.
    """
    node = npm_packages.node()
    program = npm_packages.installed("azurite", _AZURITE) + "/dist/src/blob/main.js"
    leash = [sys.executable, str(_LEASH), str(os.getpid())]
    options = ["--inMemoryPersistence", "--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    with subprocess.Popen(
        [*leash, node, program, "--blobHost", "127.0.0.1", "--blobPort", "0", *options],
        env={"PATH": os.environ["PATH"], "AZURITE_ACCOUNTS": f"{_ACCOUNT}:{_ACCOUNT_KEY}"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            keys = {"AZURE_STORAGE_ACCOUNT_KEY": _ACCOUNT_KEY, **_DIRECT}
            yield ObjectServer("az", _listening(process), keys)
        finally:
            process.terminate()
            process.wait()


def _listening(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        _, found, address = line.partition("successfully listens on ")
        if found:
            return address.strip()
    raise UnavailableError("azurite: ended at once")


def _make_bucket(address: str, name: str) -> None:
    with urlopen(Request(f"{address}/{name}", method="PUT")):
        pass


def _make_container(address: str, name: str) -> None:
    """Make a container, signed as Azure documents it: `Authorize with Shared Key`."""
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": _VERSION}
    told = "".join(f"{key}:{value}\n" for key, value in headers.items())
    path = f"/{_ACCOUNT}/{name}"
    text = "PUT" + "\n" * 12 + f"{told}/{_ACCOUNT}{path}\nrestype:container"
    digest = hmac.digest(base64.b64decode(_ACCOUNT_KEY), text.encode(), sha256)
    headers["Authorization"] = f"SharedKey {_ACCOUNT}:{base64.b64encode(digest).decode()}"
    headers["Content-Length"] = "0"
    with urlopen(Request(f"{address}{path}?restype=container", method="PUT", headers=headers)):
        pass
