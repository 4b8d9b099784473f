"""Whether all queues and bindings are there, as far as AMQP lets one ask."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import aclosing

from libs.common.broker.rabbitmq.declaration import arguments_of, exchanges_of
from libs.common.broker.rabbitmq.link import Link
from libs.common.broker.rabbitmq.names import bound_marker
from libs.common.broker.rabbitmq.steps import Steps
from libs.common.broker.topology import ALL, Queue, Topology
from libs.common.clock import Clock
from libs.common.errors import TransientError

#: For how long an answer that all is there is believed.
_BELIEVED_SECONDS = 5.0


class Inspection:
    """Passive checks, which take no permission and change nothing.

    A queue that is gone is noticed, or was made anew by hand, and a binding that was never
    declared. A binding that somebody removed by hand is not: AMQP has no question for it, and
    `audit`, bound to everything, keeps the broker from returning the message. `undeliver broker
    topology` mends it.
    """

    def __init__(self, link: Link, topology: Topology, clock: Clock) -> None:
        self._link = link
        self._topology = topology
        self._clock = clock
        self._checking = asyncio.Lock()
        #: By type, when its queues were last seen complete.
        self._complete_at: dict[str, float] = {}

    async def missing(self) -> list[str]:
        """See `Broker.missing`."""
        absent: list[str] = []
        async with aclosing(Steps(self._link.open_channel)) as steps:
            exchanges = exchanges_of(self._topology)
            absent += [name for name in exchanges if not await steps.has_exchange(name)]
            for queue in self._topology.queues:
                names = arguments_of(queue, self._topology)
                absent += [name for name in names if not await steps.has_queue(name)]
                absent += await _unbound(steps, queue, queue.types)
        if absent:
            self._complete_at.clear()
        return absent

    async def require(self, types: Collection[str]) -> None:
        """Return if all queues that must get these types are there, and were bound to them.

        Raises:
            TransientError: `no_queue`, `broker_unreachable`.
        """
        if self._are_believed(types):
            return
        async with self._checking:
            if self._are_believed(types):
                return
            if absent := await self._absent(types):
                raise TransientError("no_queue", ", ".join(absent))
            self._complete_at.update(dict.fromkeys(types, self._clock.monotonic()))

    def _are_believed(self, types: Collection[str]) -> bool:
        oldest = self._clock.monotonic() - _BELIEVED_SECONDS
        return all(self._complete_at.get(type_, oldest) > oldest for type_ in types)

    async def _absent(self, types: Collection[str]) -> list[str]:
        absent: list[str] = []
        async with aclosing(Steps(self._link.open_channel)) as steps:
            for queue in self._topology.queues:
                bound = [each for each in queue.types if each == ALL or each in types]
                if bound and not await steps.has_queue(queue.name):
                    absent.append(queue.name)
                elif bound:
                    absent += await _unbound(steps, queue, bound)
        return absent


async def _unbound(steps: Steps, queue: Queue, types: Sequence[str]) -> list[str]:
    """Return the bindings that were never made, as `Broker.missing` says them."""
    return [
        f"{queue.name} for {type_}"
        for type_ in types
        if not await steps.has_exchange(bound_marker(queue.name, type_))
    ]
