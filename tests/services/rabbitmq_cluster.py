"""Several private nodes that are one RabbitMQ."""

from pathlib import Path

from tests.services.ports import free_ports
from tests.services.rabbitmq_node import Node, Ports
from tests.services.rabbitmq_programs import Programs

_OWN_PORTS = 3
_FORMATION = (
    "cluster_formation.peer_discovery_backend = classic_config",
    "cluster_formation.randomized_startup_delay_range.min = 0",
    "cluster_formation.randomized_startup_delay_range.max = 1",
)


def cluster(programs: Programs, folder: Path, size: int) -> list[Node]:
    """Return nodes that make one cluster once all are started, at the same time.

    They share cookie, password and name service.
    """
    first = Node(programs, folder / "0")
    ports = iter(free_ports(_OWN_PORTS * (size - 1)))
    nodes = [first]
    for number in range(1, size):
        own = Ports(next(ports), next(ports), next(ports), first.ports.names)
        nodes.append(Node(programs, folder / str(number), own, first.password, first.cookie))
    peers = [
        f"cluster_formation.classic_config.nodes.{number} = {node.name}"
        for number, node in enumerate(nodes, 1)
    ]
    for node in nodes:
        node.more = (*_FORMATION, *peers)
    return nodes
