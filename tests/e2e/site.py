"""What stands before a deployment's services: a database, a broker, a folder for mail."""

import asyncio
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from libs.common.broker.opening import BrokerAddress
from tests.e2e.programs import Ended, Programs, environment
from tests.e2e.servers import OwnPostgres
from tests.faults.proxy import Network
from tests.services.databases import Database, PostgresServer, execute
from tests.services.vhosts import PUBLISHERS, RabbitServer, Vhost

SERVICES = ("ingest", "classifier", "retractor", "audit")
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
        return BrokerAddress(postgres_dsn=self.postgres_dsn, amqp_url=self.amqp_url)


@dataclass(frozen=True)
class Networks:
    """Networks that can be hurt."""

    rabbitmq: Network | None = None
    postgres: Network | None = None


@dataclass(frozen=True)
class Site:
    """Where one deployment is to stand: nothing of it exists before an operator has made it."""

    programs: Programs
    folder: Path
    configuration: Path
    database: Database
    #: None: the queue is in Postgres, too.
    vhost: Vhost | None
    #: What lies between the services and their servers; people's commands go straight there.
    networks: Networks = Networks()
    #: Short, so that a frozen peer is noticed within seconds.
    heartbeat_seconds: int = 2

    @property
    def blobs(self) -> Path:
        return self.folder / "blobs"

    def addresses(self, publisher: str) -> Addresses:
        """Return how a service, the operator or an upstream system connects."""
        dsn = self.database.dsn_for(publisher)
        url = None if self.vhost is None else self.vhost.url_for(publisher)
        if publisher in SERVICES:
            dsn = self.networks.postgres.through(dsn) if self.networks.postgres else dsn
            url = self.networks.rabbitmq.through(url) if self.networks.rabbitmq and url else url
        return Addresses(dsn, url and f"{url}?heartbeat={self.heartbeat_seconds}")

    def build(self) -> None:
        """Do what an operator does before the first start."""
        self.make_database()
        if self.vhost is not None:
            self.make_users()
            self.declare_topology()

    def make_database(self) -> None:
        """Create the database with its roles."""
        queue = "--queue" if self.vhost is None else "--no-queue"
        words = ("database", "provision", "--create-database", self.database.name, queue)
        admin = {"DATABASE_ADMIN_DSN": self.database.server.superuser_dsn}
        self._run(*words, "--config", str(self.configuration), **admin)

    def make_users(self) -> None:
        """Give RabbitMQ the users and rights that follow from the configuration, and no others."""
        assert self.vhost is not None
        passwords = self.folder / "passwords"
        passwords.mkdir(mode=0o700)
        for name in (*PUBLISHERS, *UPSTREAM):
            (passwords / name).write_text(self.vhost.server.password, encoding="ascii")
        words = ("broker", "permissions", "--vhost", self.vhost.name, "--passwords", passwords)
        made = json.loads(self._run(*map(str, words), "--config", str(self.configuration)).out)
        management = self.vhost.server.management
        asyncio.run(management.call("POST", "definitions", body=made))

    def declare_topology(self) -> None:
        """Declare exchanges and queues."""
        self._run("broker", "topology", **self.addresses("cli").settings("CLI"))

    def clear(self) -> None:
        """Leave nothing on the servers."""
        drop = f"drop database if exists {self.database.name} with (force)"
        asyncio.run(execute(self.database.server.superuser_dsn, drop))
        if self.vhost is not None:
            asyncio.run(self.vhost.server.management.delete("vhosts", self.vhost.name))

    def _run(self, *words: str, **settings: str) -> Ended:
        ended = self.programs.run(*words, env=environment(**settings))
        assert ended.code == 0, ended.err
        return ended


@contextmanager
def site(
    programs: Programs,
    configuration: Path,
    postgres: OwnPostgres,
    rabbitmq: RabbitServer | None,
    networks: Networks,
) -> Iterator[Site]:
    """Give a place beside the configuration; nothing is left of it on the servers in the end."""
    name = f"undeliver_{secrets.token_hex(4)}"
    database = Database(PostgresServer(postgres.superuser_dsn, None, template=""), name)
    vhost = None if rabbitmq is None else Vhost(rabbitmq, name)
    made = Site(programs, configuration.parent, configuration, database, vhost, networks)
    made.blobs.mkdir(mode=0o700)
    try:
        yield made
    finally:
        made.clear()
