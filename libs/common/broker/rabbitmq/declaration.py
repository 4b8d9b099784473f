"""What the operator's user does before anybody publishes: declare exchanges, queues, bindings."""

from collections.abc import Iterator, Mapping

from aiormq.abc import AbstractConnection

from libs.common.broker.rabbitmq.names import (
    REPLAY_EXCHANGE,
    bound_marker,
    dead_queue,
    retry_queue,
    service_exchange,
)
from libs.common.broker.rabbitmq.steps import Step, Steps, connected
from libs.common.broker.topology import EXCHANGE, Queue, Topology
from libs.common.errors import PermanentError, StartError, TransientError

#: RabbitMQ 4 would otherwise drop a dead letter after it was looked at 20 times.
LOOKS_LIMIT = 1_000_000_000
#: The first with TTL and at-least-once dead-lettering on quorum queues.
_OLDEST_VERSION = (3, 10)

Arguments = dict[str, str | int]


async def declare(amqp_url: str, topology: Topology) -> None:
    """Make all exchanges, queues and bindings; running it again changes nothing.

    Run as the operator's user, before anybody publishes. Nothing is ever unbound or deleted: what a
    queue no longer wants comes to it as before, and ends in its dead letters, where it shows.

    Raises:
        StartError: something exists with other arguments; all else is declared nevertheless. Or the
            user may not do this, or the broker is too old.
        TransientError: `broker_unreachable`.
    """
    async with connected(amqp_url) as (connection, steps):
        _require_version(connection)
        problems = await _Declaring(steps).everything(topology)
    if problems:
        raise StartError("\n".join(problems))


def exchanges_of(topology: Topology) -> dict[str, str]:
    """Return the exchanges that messages go through, by name, with their types."""
    services = sorted({queue.service for queue in topology.queues})
    return {
        EXCHANGE: "topic",
        REPLAY_EXCHANGE: "direct",
        **{service_exchange(service): "direct" for service in services},
    }


def arguments_of(queue: Queue, topology: Topology) -> dict[str, Arguments]:
    """Return the queue, its retry steps and its dead letters, by name, with their arguments."""
    dead = dead_queue(queue.name)
    own = _moving(queue.service, dead, topology.delivery_limit)
    back = _moving(queue.service, queue.name, topology.delivery_limit)
    return {
        queue.name: own,
        **{
            retry_queue(queue.name, step): {**back, "x-message-ttl": round(step * 1000)}
            for step in topology.delay_steps_seconds
        },
        dead: {"x-queue-type": "quorum", "x-delivery-limit": LOOKS_LIMIT},
    }


def _moving(service: str, target: str, delivery_limit: int) -> Arguments:
    """Return the arguments of a queue whose messages go on to another, losing none on the way."""
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": delivery_limit,
        "x-dead-letter-exchange": service_exchange(service),
        "x-dead-letter-routing-key": target,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


class _Declaring:
    """Declares one by one, and goes on after a refusal."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._problems: list[str] = []
        self._refused: dict[str, str] = {}

    async def everything(self, topology: Topology) -> list[str]:
        """Declare all; return a sentence for each problem, and one for all that is not allowed."""
        for name, kind in exchanges_of(topology).items():
            await self._exchange(name, kind)
        for queue in topology.queues:
            for name, arguments in arguments_of(queue, topology).items():
                await self._queue(name, arguments)
            for key, exchange in own_bindings(queue, topology):
                await self._bind(key, exchange, key)
            for type_ in queue.types:
                # The marker last: where it is, the binding was made.
                if await self._bind(queue.name, EXCHANGE, type_):
                    await self._mark(queue.name, bound_marker(queue.name, type_))
        return self._problems + _refusal(self._refused)

    async def _exchange(self, name: str, kind: str) -> bool:
        return await self._do(
            name, lambda channel: channel.exchange_declare(name, exchange_type=kind, durable=True)
        )

    async def _mark(self, queue: str, marker: str) -> None:
        # Bound to the queue, and deleted by the broker with that binding: with the queue.
        await self._do(
            marker, lambda channel: channel.exchange_declare(marker, durable=True, auto_delete=True)
        )
        await self._bind(queue, marker, queue)

    async def _queue(self, name: str, arguments: Arguments) -> bool:
        return await self._do(
            name,
            lambda channel: channel.queue_declare(name, durable=True, arguments=dict(arguments)),
        )

    async def _bind(self, queue: str, exchange: str, key: str) -> bool:
        return await self._do(
            queue, lambda channel: channel.queue_bind(queue, exchange, routing_key=key)
        )

    async def _do(self, name: str, step: Step) -> bool:
        try:
            await self._steps.take(step)
        except PermanentError as error:
            if error.reason == "conflict":
                self._problems.append(_difference(name, error))
            else:
                self._refused.setdefault(name, error.detail)
            return False
        except TransientError as error:
            if error.reason != "no_queue" or not (self._problems or self._refused):
                raise
            return False  # what was refused above cannot be bound here
        return True


def own_bindings(queue: Queue, topology: Topology) -> Iterator[tuple[str, str]]:
    """Yield each queue and the direct exchange that reaches it; the key is the queue's name."""
    for name in arguments_of(queue, topology):
        yield name, service_exchange(queue.service)
    yield queue.name, REPLAY_EXCHANGE


def _difference(name: str, error: PermanentError) -> str:
    return (
        f"{name} exists with other arguments ({error.detail}): these cannot change; "
        "give the changed queue a new version at the end of its name"
    )


def _refusal(refused: Mapping[str, str]) -> list[str]:
    """Return one sentence: whoever may not declare one mostly may not declare any."""
    if not refused:
        return []
    name, detail = next(iter(refused.items()))
    others = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
    return [f"this user may not declare {name}{others} ({detail}); use the operator's, `cli`"]


def _require_version(connection: AbstractConnection) -> None:
    properties = connection.server_properties or {}
    version = str(properties.get("version", ""))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    if len(numbers) == 2 and numbers < _OLDEST_VERSION:
        raise StartError(f"RabbitMQ {version} is too old: 3.10 or later is needed")
