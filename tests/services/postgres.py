"""Which Postgres the tests run on."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from libs.embedded_postgres_server import serve
from tests.services.databases import PostgresServer, provisioned


@asynccontextmanager
async def postgres() -> AsyncIterator[PostgresServer]:
    """Give a server for the whole session."""
    with tempfile.TemporaryDirectory(prefix="undeliver-test-") as folder:
        Path(folder).chmod(0o711)  # as root, the server runs under another account
        async with (
            serve(Path(folder) / "postgres", durable=False) as server,
            provisioned(server.dsn(), f"wheel {server.binaries.version}", None) as ready,
        ):
            yield ready
