"""What of a topology a virtual host has, for operators."""

from collections.abc import Mapping

from libs.common.broker.rabbitmq.declaration import arguments_of, exchanges_of
from libs.common.broker.rabbitmq.names import bound_marker
from libs.common.broker.rabbitmq.steps import Step, Steps, connected
from libs.common.broker.topology import Part, Topology
from libs.common.errors import PermanentError


async def examine(amqp_url: str, topology: Topology) -> list[Part]:
    """Return every exchange, queue and binding with its state; changes nothing.

    Only the operator's user learns what is `different`. A binding is `present` where it was once
    made; that somebody has removed it by hand, AMQP cannot tell.

    Raises:
        TransientError: `broker_unreachable`.
    """
    parts: list[Part] = []
    async with connected(amqp_url) as (_, steps):
        exchanges = exchanges_of(topology).items()
        parts += [await _exchange(steps, name, kind) for name, kind in exchanges]
        for queue in topology.queues:
            queues = arguments_of(queue, topology).items()
            parts += [await _queue(steps, name, arguments) for name, arguments in queues]
            parts += [await _binding(steps, queue.name, type_) for type_ in queue.types]
    return parts


async def _exchange(steps: Steps, name: str, kind: str) -> Part:
    wanted = {"type": kind}
    if not await steps.has_exchange(name):
        return Part("exchange", name, "missing", wanted)
    difference = await _difference(
        steps,
        lambda channel: channel.exchange_declare(name, exchange_type=kind, durable=True),
    )
    return Part("exchange", name, "different" if difference else "present", wanted, difference)


async def _queue(steps: Steps, name: str, arguments: Mapping[str, str | int]) -> Part:
    if not await steps.has_queue(name):
        return Part("queue", name, "missing", arguments)
    difference = await _difference(
        steps, lambda channel: channel.queue_declare(name, durable=True, arguments=dict(arguments))
    )
    return Part("queue", name, "different" if difference else "present", arguments, difference)


async def _binding(steps: Steps, queue: str, type_: str) -> Part:
    is_made = await steps.has_exchange(bound_marker(queue, type_))
    return Part(
        "binding", f"{queue} for {type_}", "present" if is_made else "missing", {"type": type_}
    )


async def _difference(steps: Steps, redeclare: Step) -> str | None:
    """Return what the broker says to declaring again what is there; None = the same."""
    try:
        await steps.take(redeclare)
    except PermanentError as error:
        return error.detail if error.reason == "conflict" else None
    return None
