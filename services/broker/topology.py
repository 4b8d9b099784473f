"""What the broker has of our topology, before and after it is declared."""

from collections.abc import Sequence
from dataclasses import replace

from libs.common.broker.opening import BrokerAddress, declare_topology, examine_topology
from libs.common.broker.topology import Part
from libs.common.errors import StartError


async def declare(address: BrokerAddress) -> tuple[Sequence[Part], str | None]:
    """Declare everything; return each part with its state, and what stands in the way, if anything.

    Raises:
        TransientError: `broker_unreachable`.
    """
    before = await examine_topology(address)
    try:
        await declare_topology(address)
    except StartError as error:
        return await examine_topology(address), str(error)
    return [
        part if part.state == "present" else replace(part, state="declared", detail=None)
        for part in before
    ], None


def is_complete(parts: Sequence[Part]) -> bool:
    """Return whether nothing is known to be missing or different."""
    return not any(part.state in {"missing", "different"} for part in parts)
