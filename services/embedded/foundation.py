"""What stands before any service runs: the database, its roles, the queues, the blob folder."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from libs.common.blobs.opening import open_blobs
from libs.common.blobs.port import BlobStore
from libs.common.broker.postgres.broker import PostgresBroker
from libs.common.broker.postgres.declaration import declare, recover_claims
from libs.common.broker.postgres.wakeups import Wakeups
from libs.common.broker.topology import UNDELIVER
from libs.common.clock import Clock
from libs.common.database.provisioning import create_database, provision, role_of
from libs.common.tenants.model import Configuration
from libs.embedded_postgres_server.server import Server, serve

_DATABASE = "undeliver"


@dataclass(frozen=True, slots=True)
class Foundation:
    """Where the services of one process stand."""

    server: Server
    blobs: BlobStore
    clock: Clock
    #: One for all brokers of the process: what one publishes, another picks up at once.
    wakeups: Wakeups

    def dsn(self, publisher: str) -> str:
        """Return how this service, or this publisher, connects to the database."""
        return self.server.dsn(role_of(publisher), _DATABASE)

    @asynccontextmanager
    async def broker(self, publisher: str) -> AsyncIterator[PostgresBroker]:
        """Connect to the queues on behalf of one publisher."""
        async with PostgresBroker.open(
            self.dsn(publisher), topology=UNDELIVER, clock=self.clock, wakeups=self.wakeups
        ) as broker:
            yield broker


@asynccontextmanager
async def foundation(
    data_folder: Path, configuration: Configuration, clock: Clock, *, binaries: Path | None = None
) -> AsyncIterator[Foundation]:
    """Start what the services stand on; it ends with the context, or with the process.

    Raises:
        StartError: one sentence that says what is in the way.
        TransientError: the database does not answer.
    """
    blob_folder = data_folder / "blobs"
    async with (
        serve(data_folder / "postgres", binaries=binaries, clock=clock) as server,
        open_blobs(blob_folder.absolute().as_uri()) as blobs,
    ):
        await create_database(server.dsn(), _DATABASE)
        owner = server.dsn(database=_DATABASE)
        await provision(owner, publishers=[each.name for each in configuration.publishers])
        await declare(owner, UNDELIVER)
        # The folder's lock proves that nobody else consumes: what a killed process held is free.
        await recover_claims(owner)
        yield Foundation(server, blobs, clock, Wakeups())
