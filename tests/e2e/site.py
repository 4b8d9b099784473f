"""What stands before a deployment's services: a database, queues, a folder for mail."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from libs.common.broker.opening import BrokerAddress, declare_topology
from libs.common.database.provisioning import provision
from tests.e2e.servers import OwnPostgres
from tests.services.databases import Database, PostgresServer, execute

#: Upstream systems, as `publishers` of the configuration names them.
UPSTREAM = ("soar",)


@dataclass(frozen=True)
class Addresses:
    """How one publisher reaches the servers."""

    postgres_dsn: str
    #: None: the queue in Postgres.
    amqp_url: str | None = None

    def settings(self, prefix: str) -> dict[str, str]:
        """Return the variables that say so."""
        settings = {f"{prefix}_POSTGRES_DSN": self.postgres_dsn}
        if self.amqp_url is not None:
            settings[f"{prefix}_AMQP_URL"] = self.amqp_url
        return settings

    def broker(self) -> BrokerAddress:
        return BrokerAddress(postgres_dsn=self.postgres_dsn)


@dataclass(frozen=True)
class Site:
    """The servers of one deployment."""

    database: Database
    blobs: Path

    def addresses(self, publisher: str) -> Addresses:
        """Return how a service, the operator or an upstream system connects."""
        return Addresses(self.database.dsn_for(publisher))


@asynccontextmanager
async def on_postgres(postgres: OwnPostgres, folder: Path) -> AsyncIterator[Site]:
    """Give a site whose queue is in Postgres, too."""
    async with _database(postgres) as database:
        await provision(
            database.superuser_dsn, publishers=UPSTREAM, password=database.server.password
        )
        await declare_topology(BrokerAddress(postgres_dsn=database.superuser_dsn))
        yield Site(database, _blobs(folder))


@asynccontextmanager
async def _database(postgres: OwnPostgres) -> AsyncIterator[Database]:
    name = f"undeliver_{secrets.token_hex(4)}"
    await execute(postgres.superuser_dsn, f"create database {name}")
    try:
        yield Database(PostgresServer(postgres.superuser_dsn, postgres.password, ""), name)
    finally:
        await execute(postgres.superuser_dsn, f"drop database {name} with (force)")


def _blobs(folder: Path) -> Path:
    blobs = folder / "blobs"
    blobs.mkdir(mode=0o700)
    return blobs
