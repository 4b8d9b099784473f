"""What of a topology a virtual host has, for operators."""

from collections.abc import Collection, Mapping

from libs.common.broker.rabbitmq.declaration import arguments_of, exchanges_of, own_bindings
from libs.common.broker.rabbitmq.names import bound_marker
from libs.common.broker.rabbitmq.steps import Step, Steps, connected
from libs.common.broker.topology import EXCHANGE, Part, State, Topology
from libs.common.errors import PermanentError


async def examine(amqp_url: str, topology: Topology) -> list[Part]:
    """Return every exchange, queue and binding with its state; changes nothing.

    Only the operator's user learns what is `different`. A binding to a type is `present` where it
    was once made; that somebody has removed it by hand, AMQP cannot tell. Of those within a service
    it knows nothing.

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
            gone = {part.name for part in parts if part.state == "missing"}
            parts += [_own_binding(*each, gone) for each in own_bindings(queue, topology)]
            parts += [await _binding(steps, queue.name, type_, gone) for type_ in queue.types]
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


async def _binding(steps: Steps, queue: str, type_: str, gone: Collection[str]) -> Part:
    # A binding goes with its queue or exchange; its marker does not.
    is_made = not {queue, EXCHANGE} & {*gone} and await steps.has_exchange(
        bound_marker(queue, type_)
    )
    state: State = "present" if is_made else "missing"
    return Part("binding", f"{queue} for {type_}", state, _way(EXCHANGE, queue, type_))


def _own_binding(queue: str, exchange: str, gone: Collection[str]) -> Part:
    state: State = "missing" if {queue, exchange} & {*gone} else "unknown"
    return Part("binding", f"{queue} from {exchange}", state, _way(exchange, queue, queue))


def _way(source: str, destination: str, routing_key: str) -> dict[str, str]:
    return {"source": source, "destination": destination, "routing_key": routing_key}


async def _difference(steps: Steps, redeclare: Step) -> str | None:
    """Return what the broker says to declaring again what is there; None = the same."""
    try:
        await steps.take(redeclare)
    except PermanentError as error:
        return error.detail if error.reason == "conflict" else None
    return None
