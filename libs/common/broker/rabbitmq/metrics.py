"""What the RabbitMQ adapter counts."""

from typing import Literal

from prometheus_client import Counter, Histogram

Purpose = Literal["publish", "consume"]

#: Every reason of `Publisher.publish`.
_REASONS = (
    "broker_unreachable",
    "publish_timeout",
    "publish_rejected",
    "no_queue",
    "publish_refused",
    "message_too_large",
)

CONNECTIONS_LOST = Counter(
    "undeliver_broker_connections_lost",
    "Connections to RabbitMQ that ended without our asking.",
    ["purpose"],
)
PUBLISH_FAILURES = Counter(
    "undeliver_broker_publish_failures", "Messages that were not confirmed, by why.", ["reason"]
)
CONFIRM_SECONDS = Histogram(
    "undeliver_broker_confirm_duration_seconds",
    "From handing a message to the broker to its confirm.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


def start_at_zero() -> None:
    """Make every series exist, so that the first failure shows in `rate()`."""
    for purpose in ("publish", "consume"):
        CONNECTIONS_LOST.labels(purpose=purpose)
    for reason in _REASONS:
        PUBLISH_FAILURES.labels(reason=reason)
