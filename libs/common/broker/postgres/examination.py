"""What of a topology the queue has, for operators."""

from collections.abc import Iterator, Mapping, Sequence

import asyncpg

from libs.common.broker.postgres.session import Session, connected
from libs.common.broker.topology import Part, Queue, Topology
from libs.common.errors import TransientError


async def examine(dsn: str, topology: Topology) -> list[Part]:
    """Return every queue and binding with its state; any role may ask.

    Raises:
        TransientError: `broker_unreachable`.
    """
    async with connected(dsn, max_size=1) as session:
        queues = await _rows(session, "declared_queues")
        bindings = {(row["queue"], row["type"]) for row in await _rows(session, "declared")}
    found = {row["queue"]: row for row in queues}
    return [
        part
        for queue in topology.queues
        for part in _parts(queue, topology.delivery_limit, found, bindings)
    ]


async def _rows(session: Session, name: str) -> Sequence[asyncpg.Record]:
    """Return what is declared: nothing, where not even the schema is."""
    try:
        return await session.fetch(name)
    except TransientError as error:
        if error.reason != "no_queue":
            raise
        return []


def _parts(
    queue: Queue,
    delivery_limit: int,
    found: Mapping[str, asyncpg.Record],
    bindings: set[tuple[str, str]],
) -> Iterator[Part]:
    wanted = {"service": queue.service, "delivery_limit": delivery_limit}
    row = found.get(queue.name)
    if row is None:
        yield Part("queue", queue.name, "missing", wanted)
    elif differing := [f"{name} is {row[name]}" for name in wanted if row[name] != wanted[name]]:
        yield Part("queue", queue.name, "different", wanted, ", ".join(differing))
    else:
        yield Part("queue", queue.name, "present", wanted)
    for type_ in queue.types:
        yield Part(
            "binding",
            f"{queue.name} for {type_}",
            "present" if (queue.name, type_) in bindings else "missing",
            {"type": type_},
        )
