"""Ports for private servers."""

import random
import socket
from contextlib import suppress

#: Below the ports that the system gives to outgoing connections.
_PORTS = range(20_000, 30_000)


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on, and that no outgoing connection will take."""
    chance = random.SystemRandom()
    found: set[int] = set()
    while len(found) < count:
        port = chance.choice(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.add(port)
    return sorted(found)
