"""A fresh virtual host for each test, and the means to look into it and to hurt it."""

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

import aio_pika
import pytest

from tests.services.choice import UnavailableError
from tests.services.management import Management
from tests.services.rabbitmq_node import Node

#: Who has a user of this name in every virtual host; a user's name is the publisher's.
PUBLISHERS = ("ingest", "classifier", "retractor", "audit", "cli")
#: On our users, so that nobody's else are ever taken for them.
TAG = "undeliver-test"
EVERYTHING = ".*"


class Evaluate(Protocol):
    """Runs Erlang in the server: for what no other interface offers."""

    async def __call__(self, expression: str, /) -> str:
        """Return what the expression gives, printed."""


@dataclass(frozen=True, slots=True)
class RabbitServer:
    """A RabbitMQ on which tests may create virtual hosts and users.

    All users of ours have the same password. `node` is there when it is a private instance.
    """

    version: str
    host: str
    port: int
    management: Management
    password: str = field(repr=False)
    scheme: str = "amqp"
    evaluate: Evaluate | None = field(default=None, repr=False)
    node: Node | None = None
    users: set[str] = field(default_factory=set, repr=False)

    def url(self, user: str, vhost: str) -> str:
        """Return the address of a virtual host for one of our users."""
        return self._url(user, self.password, vhost)

    def admin_url(self, vhost: str = "/") -> str:
        """Return the address for whoever may do anything."""
        return self._url(self.management.user, self.management.password, vhost)

    async def add_user(self, name: str) -> None:
        """Make a user of ours, or find it made.

        Raises:
            UnavailableError: there is one of this name that is not ours.
        """
        known = {user["name"]: user["tags"] for user in await self.management.get("users")}
        is_ours = TAG in known.get(name, ())
        if is_ours and name in self.users:
            return
        if name in known and not is_ours and self.evaluate is None:
            raise UnavailableError(f"it has a user `{name}` that is not ours to change")
        # On a server of our own, a test may have imported users.
        body = {"password": self.password, "tags": TAG}
        await self.management.put("users", name, body=body)
        self.users.add(name)

    def _url(self, user: str, password: str, vhost: str) -> str:
        login = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return f"{self.scheme}://{login}@{self.host}:{self.port}/{quote(vhost, safe='')}"


@dataclass(frozen=True, slots=True)
class QueueState:
    """What is in a queue.

    `messages` are ready and counted at once, as consumers are; `unsettled` are with consumers, and
    may be half a second old.
    """

    messages: int
    consumers: int
    unsettled: int
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Vhost:
    """One test's own virtual host. Its methods are bound to no event loop."""

    server: RabbitServer
    name: str

    @property
    def admin_url(self) -> str:
        """The address for whoever may do anything here."""
        return self.server.admin_url(self.name)

    def url_for(self, user: str) -> str:
        """Return the address for a service, the operator, or a publisher that was added."""
        return self.server.url(user, self.name)

    async def add_publisher(
        self,
        name: str,
        configure: str = EVERYTHING,
        write: str = EVERYTHING,
        read: str = EVERYTHING,
    ) -> None:
        """Give a user its rights here (patterns of names); again replaces them."""
        await self.server.add_user(name)
        rights = {"configure": configure, "write": write, "read": read}
        await self.server.management.put("permissions", self.name, name, body=rights)

    async def set_topic_permission(
        self, user: str, exchange: str, write: str = EVERYTHING, read: str = EVERYTHING
    ) -> None:
        """Bound the routing keys (patterns) that a user may publish and bind by."""
        rights = {"exchange": exchange, "write": write, "read": read}
        await self.server.management.put("topic-permissions", self.name, user, body=rights)

    async def queues(self) -> dict[str, QueueState]:
        """Return what is in each queue."""
        rows = await self.server.management.get("queues", self.name)
        connection = await aio_pika.connect(self.admin_url)
        async with connection, connection.channel() as channel:
            found = {}
            for row in rows:
                queue = await channel.declare_queue(row["name"], passive=True)
                found[row["name"]] = QueueState(
                    messages=queue.declaration_result.message_count or 0,
                    consumers=queue.declaration_result.consumer_count or 0,
                    unsettled=row.get("messages_unacknowledged", 0),
                    arguments=row["arguments"],
                )
        return found

    async def delete_queue(self, name: str) -> None:
        """Delete a queue with all that is in it."""
        await self.server.management.delete("queues", self.name, name)

    async def purge(self, name: str) -> None:
        """Throw away the ready messages of a queue."""
        await self.server.management.delete("queues", self.name, name, "contents")

    async def close_connections(self, user: str | None = None) -> None:
        """Close the connections of a user, or of all, from the server's side.

        On a server of somebody else, the user's connections to other virtual hosts, too.
        """
        if self.server.evaluate is not None:
            await self.server.evaluate(_close_connections(self.name, user))
            return
        for name in self.server.users if user is None else [user]:
            await self.server.management.delete("connections", "username", name)

    def memory_alarm(self) -> AbstractAsyncContextManager[None]:
        """Let the server have no memory left: it takes what is published and confirms nothing.

        This concerns the whole server, and is taken back in the end. Skips the test on a server of
        somebody else.
        """
        return memory_alarm(self.server)


@asynccontextmanager
async def memory_alarm(server: RabbitServer) -> AsyncIterator[None]:
    """See `Vhost.memory_alarm`."""
    if server.evaluate is None:
        pytest.skip("a server of somebody else is not ours to starve")
    before = await server.evaluate("vm_memory_monitor:get_vm_memory_high_watermark()")
    try:
        await server.evaluate("vm_memory_monitor:set_vm_memory_high_watermark(0.0)")
        yield
    finally:
        await server.evaluate(f"vm_memory_monitor:set_vm_memory_high_watermark({before})")


@asynccontextmanager
async def fresh(server: RabbitServer) -> AsyncIterator[Vhost]:
    """Make a virtual host with all users; whoever is still connected at the end is cut off."""
    vhost = Vhost(server, f"undeliver_test_{secrets.token_hex(4)}")
    await server.management.put("vhosts", vhost.name)
    try:
        await _admit(vhost)
        yield vhost
    finally:
        await server.management.delete("vhosts", vhost.name)


async def _admit(vhost: Vhost) -> None:
    admin = vhost.server.management.user
    rights = {"configure": EVERYTHING, "write": EVERYTHING, "read": EVERYTHING}
    await vhost.server.management.put("permissions", vhost.name, admin, body=rights)
    for publisher in PUBLISHERS:
        await vhost.add_publisher(publisher)


def _close_connections(vhost: str, user: str | None) -> str:
    """Return the Erlang for it: the HTTP API learns of a connection only seconds later."""
    is_meant = f'V =:= <<"{vhost}">>' + ("" if user is None else f', U =:= <<"{user}">>')
    return (
        '[rabbit_networking:close_connection(P, "closed by a test")'
        " || [{pid, P}, {user, U}, {vhost, V}]"
        f" <- rabbit_networking:connection_info_all([pid, user, vhost]), {is_meant}]"
    )
