"""Whether a service may say that it is ready, as far as the broker goes."""

from libs.common.broker.port import Broker
from libs.common.errors import TransientError


async def check_queues(broker: Broker) -> None:
    """Return if all queues and bindings of the topology exist; a readiness check.

    A publisher that misses a queue is not ready: an absent consumer must not lose mail.

    Raises:
        TransientError: `queue_missing` with their names, or `broker_unreachable`.
    """
    if missing := await broker.missing():
        raise TransientError("queue_missing", ", ".join(missing))
