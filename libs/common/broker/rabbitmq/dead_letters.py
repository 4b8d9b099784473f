"""What was given up on. See `DeadLetters`."""

from collections.abc import AsyncGenerator, Sequence

from libs.common.broker.port import DeadLettered
from libs.common.broker.rabbitmq import messages
from libs.common.broker.rabbitmq.link import Link
from libs.common.broker.rabbitmq.looking import Held, Look, looking
from libs.common.broker.rabbitmq.names import OPERATOR, REPLAY_EXCHANGE
from libs.common.broker.rabbitmq.outbox import Outbox, Parcel
from libs.common.broker.topology import Queue, Topology


class RabbitDeadLetters:
    """The dead letters of a service's own queues; of all queues for the operator's user.

    Looking takes letters and hands them back, so of two who look at once each sees a part. Whoever
    dies over it has changed nothing: the broker takes the letters back.
    """

    def __init__(self, link: Link, outbox: Outbox, topology: Topology) -> None:
        self._link = link
        self._outbox = outbox
        self._queues = [
            queue for queue in topology.queues if link.publisher in (OPERATOR, queue.service)
        ]
        #: Of the walks that go on: what they hold is to be had from them alone.
        self._walks: set[Look] = set()

    async def waiting(
        self, queue: str | None = None, *, limit: int = 100
    ) -> Sequence[DeadLettered]:
        """See `DeadLetters.waiting`."""
        letters: list[DeadLettered] = []
        for each in self._named(queue):
            async with looking(self._link, each) as look:
                for _ in range(limit):
                    held = await look.next()
                    if held is None:
                        break
                    letters.append(held.letter)
        return sorted(letters, key=lambda letter: letter.dead_lettered_at)[:limit]

    async def walk(self, queue: str | None = None) -> AsyncGenerator[DeadLettered, None]:
        """See `DeadLetters.walk`."""
        for each in self._named(queue):
            async with looking(self._link, each) as look:
                self._walks.add(look)
                try:
                    for _ in range(await look.count()):
                        held = await look.next()
                        if held is None:
                            break
                        yield held.letter
                finally:
                    self._walks.discard(look)

    async def replay(self, dead_letter_id: str) -> bool:
        """See `DeadLetters.replay`. A crash in between replays it twice, and loses nothing."""
        for walk in self._walks:
            if held := await walk.again(dead_letter_id):
                await self._return(walk, held)
                return True
        for queue in self._queues:
            async with looking(self._link, queue) as look:
                while held := await look.next():
                    if held.letter.dead_letter_id == dead_letter_id:
                        await self._return(look, held)
                        return True
        return False

    def _named(self, queue: str | None) -> list[Queue]:
        return [each for each in self._queues if queue in (None, each.name)]

    async def _return(self, look: Look, held: Held) -> None:
        """Publish, and only then take it out of the dead letters."""
        delivery = held.letter.delivery
        message = messages.outgoing(
            delivery.message,
            publisher=self._link.publisher,
            headers={messages.PUBLISHER: delivery.publisher},
        )
        await self._outbox.publish([Parcel(REPLAY_EXCHANGE, delivery.queue, message)])
        await look.settle(held)
