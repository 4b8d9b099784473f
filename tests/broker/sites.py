"""A broker with our topology on it, and how commands find it."""

import argparse
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

import pytest

from libs.common.broker.opening import BrokerAddress, declare_topology, open_broker
from libs.common.broker.port import Broker, DeadLetter, Delivery, Message
from libs.common.clock import SystemClock
from services.broker.cli import add_arguments, dead_letters, topology
from tests.audit.messages import delivery, retract
from tests.commands import Ended
from tests.contracts.broker_rig import receive
from tests.services.databases import Database
from tests.services.vhosts import Vhost

TYPE = "mail.retract.v1"


class Site(Protocol):
    """One test's own broker."""

    @property
    def settings(self) -> Mapping[str, str]:
        """What an operator's environment says."""

    def address(self, publisher: str) -> BrokerAddress:
        """Return where a publisher connects."""


@dataclass(frozen=True)
class OnPostgres:
    """The queue in Postgres. See `Site`."""

    database: Database

    @property
    def settings(self) -> Mapping[str, str]:
        return {"CLI_POSTGRES_DSN": self.database.dsn_for("cli")}

    def address(self, publisher: str) -> BrokerAddress:
        return BrokerAddress(postgres_dsn=self.database.dsn_for(publisher))

    async def declare(self) -> "OnPostgres":
        await self.database.add_publisher("soar")
        await declare_topology(BrokerAddress(postgres_dsn=self.database.superuser_dsn))
        return self


@dataclass(frozen=True)
class OnRabbit:
    """RabbitMQ. See `Site`."""

    vhost: Vhost

    @property
    def settings(self) -> Mapping[str, str]:
        return {"CLI_AMQP_URL": self.vhost.url_for("cli")}

    def address(self, publisher: str) -> BrokerAddress:
        return BrokerAddress(amqp_url=self.vhost.url_for(publisher))

    async def declare(self) -> "OnRabbit":
        await self.vhost.add_publisher("soar")
        await declare_topology(self.address("cli"))
        return self


class CommandLine:
    """`undeliver broker …` in this process: quicker than one of its own."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    async def __call__(self, site: Site, *words: str) -> Ended:
        """Return what a process would leave behind."""
        for name, value in site.settings.items():
            self._monkeypatch.setenv(name, value)
        self._capsys.readouterr()
        code = await parsed(*words)()
        printed = self._capsys.readouterr()
        return Ended(code, printed.out, printed.err)


def parsed(*words: str) -> Callable[[], Coroutine[None, None, int]]:
    """Return what a command line would do."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    command = {"topology": topology, "dead-letters": dead_letters}[words[0]]
    return command.work(parser.parse_args(words))


def connect(site: Site, publisher: str) -> AbstractAsyncContextManager[Broker]:
    """Connect on behalf of a publisher."""
    return open_broker(site.address(publisher), clock=SystemClock())


def command(message_id: str, tenant: str = "acme", **changes: object) -> Message:
    """Return a `mail.retract.v1`."""
    return delivery(retract(tenant), message_id=message_id, **changes).message


async def bury(broker: Broker, queue: str, reasons: Mapping[str, str]) -> list[Delivery]:
    """Give up on what comes to a queue, each message id for its reason."""
    buried: list[Delivery] = []
    async with broker.subscribe(queue, prefetch=1) as subscription:
        for _ in reasons:
            [one] = await receive(subscription, 1)
            reason = reasons[one.message.message_id]
            await subscription.settle([(one, DeadLetter(reason))])
            buried.append(one)
    return buried
