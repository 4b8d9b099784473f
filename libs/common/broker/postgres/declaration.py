"""What the owner of the queue does: declare it, and recover it after a crash."""

from libs.common.broker.postgres.session import connected
from libs.common.broker.topology import Topology
from libs.common.errors import PermanentError, StartError


async def declare(dsn: str, topology: Topology) -> None:
    """Bring the schema `broker` up to date and make its queues and bindings exactly the topology's.

    Run as a superuser or as the broker's own role, before anybody publishes; running it again
    changes nothing. A queue that the topology no longer names keeps what it holds and gets nothing
    new.

    Raises:
        StartError: a queue exists with another service or delivery limit.
        TransientError: `broker_unreachable`.
    """
    queues = topology.queues
    bindings = [(queue.name, type_) for queue in queues for type_ in queue.types]
    async with connected(dsn, max_size=1) as session:
        await session.migrate()
        try:
            await session.fetch(
                "declare_topology",
                [queue.name for queue in queues],
                [queue.service for queue in queues],
                [topology.delivery_limit for _ in queues],
                [queue for queue, _ in bindings],
                [type_ for _, type_ in bindings],
            )
        except PermanentError as error:
            if error.reason != "conflict":
                raise
            raise StartError(
                f"{error.detail}: these cannot change; "
                "give the changed queue a new version at the end of its name"
            ) from error


async def recover_claims(dsn: str) -> None:
    """Make available at once what a process that was killed still holds.

    Only for a start that has proved that no other consumer is alive (the embedded mode, by the lock
    of its data folder); everywhere else leases run out by themselves. Run as `declare` is.

    Raises:
        TransientError: `broker_unreachable`.
    """
    async with connected(dsn, max_size=1) as session:
        await session.fetch("recover_claims")
