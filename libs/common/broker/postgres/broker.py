"""The broker in Postgres. See `Broker`."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

from libs.common.broker.beside import beside
from libs.common.broker.port import Message
from libs.common.broker.postgres.dead_letters import PostgresDeadLetters
from libs.common.broker.postgres.group_commit import GroupCommit
from libs.common.broker.postgres.notifications import Notifications
from libs.common.broker.postgres.rows import columns_of
from libs.common.broker.postgres.session import CALL_TIMEOUT_SECONDS, Depth, Session, connected
from libs.common.broker.postgres.subscription import PostgresSubscription
from libs.common.broker.postgres.wakeups import Wakeups
from libs.common.broker.topology import MAX_BODY_BYTES, Topology
from libs.common.clock import Clock
from libs.common.errors import PermanentError, TransientError

LEASE_SECONDS = 60.0
PUBLISH_TIMEOUT_SECONDS = 10.0
#: One commits, one claims per queue, the others settle, beat and notify.
_CONNECTIONS = 6


class PostgresBroker:
    """See `Broker`. The publisher is the database role that the connections sign in as."""

    def __init__(
        self,
        session: Session,
        notifications: Notifications,
        wakeups: Wakeups,
        *,
        topology: Topology,
        clock: Clock,
        lease_seconds: float,
        publish_timeout_seconds: float,
    ) -> None:
        self._session = session
        self._notifications = notifications
        self._wakeups = wakeups
        self._topology = topology
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._publish_timeout_seconds = publish_timeout_seconds
        self._commits = GroupCommit(self._store, timeout_seconds=publish_timeout_seconds)
        #: See `DeadLetters`.
        self.dead_letters = PostgresDeadLetters(session, wakeups)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        dsn: str,
        *,
        topology: Topology,
        clock: Clock,
        wakeups: Wakeups | None = None,
        lease_seconds: float = LEASE_SECONDS,
        publish_timeout_seconds: float = PUBLISH_TIMEOUT_SECONDS,
    ) -> AsyncIterator["PostgresBroker"]:
        """Connect as the role that `dsn` names.

        Brokers of one process share `wakeups`, so that what one publishes another picks up without
        a detour through the server.

        Raises:
            TransientError: `broker_unreachable`.
        """
        wakeups = wakeups or Wakeups()
        longest = max(CALL_TIMEOUT_SECONDS, publish_timeout_seconds)
        async with connected(dsn, max_size=_CONNECTIONS, longest_call_seconds=longest) as session:
            notifications = Notifications(dsn, session, wakeups, clock)
            broker = cls(
                session,
                notifications,
                wakeups,
                topology=topology,
                clock=clock,
                lease_seconds=lease_seconds,
                publish_timeout_seconds=publish_timeout_seconds,
            )
            async with beside(
                broker._commits.committing(), notifications.saying(), notifications.hearing()
            ):
                yield broker

    async def publish(self, messages: Sequence[Message]) -> None:
        """See `Publisher.publish`."""
        for message in messages:
            _check(message)
        if messages:
            await self._commits.publish(messages)

    @asynccontextmanager
    async def subscribe(self, queue: str, *, prefetch: int) -> AsyncIterator[PostgresSubscription]:
        """See `Broker.subscribe`."""
        self._notifications.want()
        with self._wakeups.listening(queue) as bell:
            subscription = PostgresSubscription(
                self._session,
                queue,
                bell,
                prefetch=prefetch,
                clock=self._clock,
                lease_seconds=self._lease_seconds,
            )
            try:
                async with beside(subscription.claiming(), subscription.beating()):
                    yield subscription
            finally:
                await subscription.release()
                self._ring([queue])

    async def missing(self) -> Sequence[str]:
        """See `Broker.missing`."""
        try:
            rows = await self._session.fetch("declared")
        except TransientError as error:
            if error.reason != "no_queue":
                raise
            rows = []
        bindings = {(row["queue"], row["type"]) for row in rows}
        queues = {row["queue"] for row in rows}
        return [queue.name for queue in self._topology.queues if queue.name not in queues] + [
            f"{queue.name} for {type_}"
            for queue in self._topology.queues
            for type_ in queue.types
            if queue.name in queues and (queue.name, type_) not in bindings
        ]

    async def depths(self) -> Sequence[Depth]:
        """Return how much each queue holds, for gauges and probes.

        Raises:
            TransientError: `broker_unreachable`.
        """
        return [Depth(**row) for row in await self._session.fetch("depths")]

    async def _store(self, messages: Sequence[Message]) -> Collection[str]:
        types = sorted({message.type for message in messages})
        expected = [(type_, queue) for type_ in types for queue in self._topology.queues_for(type_)]
        try:
            rows = await self._session.fetch(
                "publish",
                *columns_of(messages),
                [type_ for type_, _ in expected],
                [queue for _, queue in expected],
                timeout_seconds=self._publish_timeout_seconds,
            )
        except PermanentError as error:
            raise PermanentError("publish_refused", error.detail) from error
        self._ring({queue for _, queue in expected})
        return frozenset(rows[0]["homeless"])

    def _ring(self, queues: Collection[str]) -> None:
        self._wakeups.ring(queues)
        self._notifications.say(queues)


def _check(message: Message) -> None:
    """Refuse what would fail the other callers of the same commit."""
    if len(message.body) > MAX_BODY_BYTES:
        raise PermanentError("message_too_large", f"{len(message.body)} bytes of {message.type}")
    texts = (
        message.message_id,
        message.type,
        message.tenant or "",
        message.correlation_id,
        message.causation_id or "",
        message.app_id,
        message.traceparent or "",
    )
    if any("\0" in text or not text.isprintable() for text in texts):
        raise PermanentError("publish_refused", "a property holds characters that none may hold")
