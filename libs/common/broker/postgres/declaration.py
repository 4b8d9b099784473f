"""What the owner of the queue does: declare it, and recover it after a crash."""

from collections.abc import Iterable

from libs.common.broker.postgres.session import SCHEMA, SQL, connected
from libs.common.broker.topology import Topology
from libs.common.database.migrations import migration_script
from libs.common.database.statements import quoted
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
    async with connected(dsn, max_size=1) as session:
        await session.migrate()
        try:
            await session.fetch("declare_topology", *_columns(topology))
        except PermanentError as error:
            if error.reason != "conflict":
                raise
            raise StartError(
                f"{error.detail}: these cannot change; "
                "give the changed queue a new version at the end of its name"
            ) from error


def declaration_script(topology: Topology) -> str:
    """Return SQL that does what `declare` does, once the schema and its owner are there."""
    names, services, limits, bound_queues, bound_types = _columns(topology)
    return "\n".join(
        [
            "begin;",
            migration_script(SQL, SCHEMA),
            f"select declare_topology({_texts(names)}, {_texts(services)},",
            f"    array[{', '.join(map(str, limits))}]::integer[],",
            f"    {_texts(bound_queues)}, {_texts(bound_types)});",
            "commit;\n",
        ]
    )


def _columns(topology: Topology) -> tuple[list[str], list[str], list[int], list[str], list[str]]:
    """Return what `declare_topology` takes."""
    queues = topology.queues
    bindings = [(queue.name, type_) for queue in queues for type_ in queue.types]
    return (
        [queue.name for queue in queues],
        [queue.service for queue in queues],
        [topology.delivery_limit for _ in queues],
        [queue for queue, _ in bindings],
        [type_ for _, type_ in bindings],
    )


def _texts(values: Iterable[str]) -> str:
    return f"array[{', '.join(map(quoted, values))}]::text[]"


async def recover_claims(dsn: str) -> None:
    """Make available at once what a process that was killed still holds.

    Only for a start that has proved that no other consumer is alive (the embedded mode, by the lock
    of its data folder); everywhere else leases run out by themselves. Run as `declare` is.

    Raises:
        TransientError: `broker_unreachable`.
    """
    async with connected(dsn, max_size=1) as session:
        await session.fetch("recover_claims")
