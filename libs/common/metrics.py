"""What every service counts: its deliveries, and the configuration that it follows."""

from typing import Literal

from prometheus_client import Counter, Gauge, Histogram

Settled = Literal["ack", "retry", "dead_letter", "hand_back"]
#: Why a delivery was given up on. `conflicting` is an alarm: somebody reuses message ids.
Cause = Literal["not_authorised", "conflicting", "poison", "permanent", "spent"]

_SETTLED: tuple[Settled, ...] = ("ack", "retry", "dead_letter", "hand_back")
_CAUSES: tuple[Cause, ...] = ("not_authorised", "conflicting", "poison", "permanent", "spent")

DELIVERIES = Counter(
    "undeliver_deliveries", "Deliveries that a consumer settled, by how.", ["queue", "settlement"]
)
DEAD_LETTERS = Counter(
    "undeliver_dead_letters", "Deliveries that a consumer gave up on, by why.", ["queue", "cause"]
)
HANDLING_SECONDS = Histogram(
    "undeliver_delivery_handling_duration_seconds",
    "From a delivery's receipt to its verdict.",
    ["queue"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60),
)

CONFIG_LAST_RELOAD_SUCCESSFUL = Gauge(
    "undeliver_config_last_reload_successful",
    "Whether the configuration file, as it is now, is in force.",
)
CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP_SECONDS = Gauge(
    "undeliver_config_last_reload_success_timestamp_seconds",
    "When a configuration last came into force, or was found unchanged in its meaning.",
)


def start_at_zero(queue: str) -> None:
    """Make every series of a queue exist, so that its first failure shows in `rate()`."""
    for settled in _SETTLED:
        DELIVERIES.labels(queue=queue, settlement=settled)
    for cause in _CAUSES:
        DEAD_LETTERS.labels(queue=queue, cause=cause)
    HANDLING_SECONDS.labels(queue=queue)
