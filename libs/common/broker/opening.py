"""Which broker a process talks to: RabbitMQ where an address of one is given, else Postgres.

Whoever stays with Postgres never loads the client of RabbitMQ: imports are where they are needed.
"""
# ruff: noqa: PLC0415

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import unquote, urlsplit

from libs.common.broker.port import Broker, DeadLetters
from libs.common.broker.rabbitmq import metrics
from libs.common.broker.topology import UNDELIVER, Part
from libs.common.clock import Clock
from libs.common.errors import ConfigurationError

PUBLISH_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is, and as whom to publish there."""

    #: For the Postgres queue; its role is the publisher.
    postgres_dsn: str | None = field(default=None, repr=False)
    #: For RabbitMQ, before Postgres where both are given; its user is the publisher.
    amqp_url: str | None = field(default=None, repr=False)

    @property
    def publisher(self) -> str | None:
        """The user of the RabbitMQ address; None on Postgres, whose roles have other names."""
        user = urlsplit(self.amqp_url).username if self.amqp_url else None
        return unquote(user) if user else None


@asynccontextmanager
async def open_broker(
    address: BrokerAddress,
    *,
    clock: Clock,
    publish_timeout_seconds: float = PUBLISH_TIMEOUT_SECONDS,
) -> AsyncIterator[Broker]:
    """Connect on behalf of the publisher that the address names.

    Raises:
        ConfigurationError: the address names no broker.
        TransientError: `broker_unreachable`.
    """
    async with _opened(address, clock, publish_timeout_seconds) as broker:
        yield broker


@asynccontextmanager
async def open_dead_letters(address: BrokerAddress, *, clock: Clock) -> AsyncIterator[DeadLetters]:
    """Give what was given up on: all of it for `cli`, else that of the publisher's own queues.

    Raises:
        ConfigurationError: the address names no broker.
        TransientError: `broker_unreachable`.
    """
    async with _opened(address, clock, PUBLISH_TIMEOUT_SECONDS) as broker:
        yield broker.dead_letters


async def declare_topology(address: BrokerAddress) -> None:
    """Make the queues and bindings of `UNDELIVER` what they should be; again changes nothing.

    Raises:
        ConfigurationError: the address names no broker.
        StartError: something exists with other arguments, and cannot be changed.
        TransientError: `broker_unreachable`.
    """
    if address.amqp_url:
        from libs.common.broker.rabbitmq.declaration import declare as declare_in_rabbitmq

        await declare_in_rabbitmq(address.amqp_url, UNDELIVER)
    else:
        from libs.common.broker.postgres import declare as declare_in_postgres

        await declare_in_postgres(_postgres_dsn(address), UNDELIVER)


async def examine_topology(address: BrokerAddress) -> list[Part]:
    """Return every exchange, queue and binding of `UNDELIVER` with its state; changes nothing.

    Raises:
        ConfigurationError: the address names no broker.
        TransientError: `broker_unreachable`.
    """
    if address.amqp_url:
        from libs.common.broker.rabbitmq.examination import examine as examine_rabbitmq

        return await examine_rabbitmq(address.amqp_url, UNDELIVER)
    from libs.common.broker.postgres.examination import examine as examine_postgres

    return await examine_postgres(_postgres_dsn(address), UNDELIVER)


class _Opened(Broker, Protocol):
    """Every broker of ours also has its dead letters at hand."""

    @property
    def dead_letters(self) -> DeadLetters:
        """What was given up on."""


def _opened(
    address: BrokerAddress, clock: Clock, publish_timeout_seconds: float
) -> AbstractAsyncContextManager[_Opened]:
    if address.amqp_url:
        from libs.common.broker.rabbitmq.broker import RabbitBroker

        metrics.start_at_zero()
        return RabbitBroker.open(
            address.amqp_url,
            topology=UNDELIVER,
            clock=clock,
            publish_timeout_seconds=publish_timeout_seconds,
        )
    from libs.common.broker.postgres import PostgresBroker

    return PostgresBroker.open(
        _postgres_dsn(address),
        topology=UNDELIVER,
        clock=clock,
        publish_timeout_seconds=publish_timeout_seconds,
    )


def _postgres_dsn(address: BrokerAddress) -> str:
    if not address.postgres_dsn:
        raise ConfigurationError(
            "no broker is named: give the address of a RabbitMQ (…_AMQP_URL) or of the database "
            "that holds the queue (…_POSTGRES_DSN)"
        )
    return address.postgres_dsn
