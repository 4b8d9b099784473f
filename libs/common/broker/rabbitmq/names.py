"""What our exchanges and queues are called on RabbitMQ: one virtual host per deployment.

`Q` below is a queue of `Topology`. Changed arguments need a new version at the end of its name:
RabbitMQ refuses to declare a queue again with others.
"""

from libs.common.broker.topology import EXCHANGE

#: Direct; bound to every `Q`, routing key = `Q`. Only the operator's user may write to it.
REPLAY_EXCHANGE = f"{EXCHANGE}.replay"

#: The user of operators' commands: declares, lists and replays.
OPERATOR = "cli"


def service_exchange(service: str) -> str:
    """Return the direct exchange of a service, bound to the queues that only it fills.

    These are `Q.retry-…` and `Q.dead` of its queues, and `Q` itself for a message that it sends
    back to its own end; routing key = queue name. A service needs to write here and to the topic
    exchange `undeliver`, and nowhere else: it cannot reach another's queue past the topic exchange.
    """
    return f"{EXCHANGE}.{service}"


def retry_queue(queue: str, delay_seconds: float) -> str:
    """Return the queue where failed messages of `Q` wait for one delay step, as `Q.retry-30s`."""
    return f"{queue}.retry-{delay_seconds:g}s"


def dead_queue(queue: str) -> str:
    """Return the queue of what was given up on."""
    return f"{queue}.dead"


def bound_marker(queue: str, type_: str) -> str:
    """Return the exchange that says: `Q` was bound to this type, and that was confirmed.

    Bindings cannot be asked for by AMQP, exchanges can. Nothing is published to it. It goes with
    `Q`, so that a queue that is made anew by hand, without its bindings, is noticed.
    """
    return f"{EXCHANGE}.bound.{queue}/{type_}"
