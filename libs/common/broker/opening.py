"""Which broker a process talks to: RabbitMQ where an address of one is given, else Postgres."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from libs.common.broker.port import Broker, DeadLetters
from libs.common.broker.postgres import PostgresBroker
from libs.common.broker.postgres import declare as declare_in_postgres
from libs.common.broker.topology import UNDELIVER
from libs.common.clock import Clock

PUBLISH_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is, and as whom to publish there."""

    #: For the Postgres queue; its role is the publisher.
    postgres_dsn: str = field(repr=False)
    #: For RabbitMQ; its user is the publisher.
    amqp_url: str | None = field(default=None, repr=False)


@asynccontextmanager
async def open_broker(
    address: BrokerAddress,
    *,
    clock: Clock,
    publish_timeout_seconds: float = PUBLISH_TIMEOUT_SECONDS,
) -> AsyncIterator[Broker]:
    """Connect on behalf of the publisher that the address names.

    Raises:
        TransientError: `broker_unreachable`.
    """
    async with PostgresBroker.open(
        address.postgres_dsn,
        topology=UNDELIVER,
        clock=clock,
        publish_timeout_seconds=publish_timeout_seconds,
    ) as broker:
        yield broker


@asynccontextmanager
async def open_dead_letters(address: BrokerAddress, *, clock: Clock) -> AsyncIterator[DeadLetters]:
    """Give what was given up on: all of it for `cli`, else that of the publisher's own queues.

    Raises:
        TransientError: `broker_unreachable`.
    """
    async with PostgresBroker.open(address.postgres_dsn, topology=UNDELIVER, clock=clock) as broker:
        yield broker.dead_letters


async def declare_topology(address: BrokerAddress) -> None:
    """Make the queues and bindings of `UNDELIVER` what they should be; again changes nothing.

    Raises:
        StartError: something exists with other arguments, and cannot be changed.
        TransientError: `broker_unreachable`.
    """
    await declare_in_postgres(address.postgres_dsn, UNDELIVER)
