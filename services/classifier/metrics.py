"""What the classifier counts."""

from prometheus_client import Counter, Histogram

from libs.common.contracts.mail import Disposition

EVALUATION_FAILURES = ("timed_out", "lost", "memory", "failed")
DNS_RESULTS = ("answered", "none", "unanswered", "cached")

classified_total = Counter(
    "undeliver_messages_classified_total",
    "Reports classified, by disposition and by what policy does.",
    ["disposition", "action"],
)
evaluation_duration_seconds = Histogram(
    "undeliver_evaluation_duration_seconds",
    "From handing a message to a worker process to its verdict.",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
evaluation_failures_total = Counter(
    "undeliver_evaluation_failures_total",
    "Messages that a worker process could not judge: they are suspicious, and not retracted.",
    ["failure"],
)
dns_lookups_total = Counter(
    "undeliver_dns_lookups_total", "Names looked up for signatures and policies.", ["result"]
)

for _disposition in Disposition:
    for _action in ("no_action", "junk", "trash", "soft_delete", "hard_delete"):
        classified_total.labels(_disposition.value, _action)
for _failure in EVALUATION_FAILURES:
    evaluation_failures_total.labels(_failure)
for _result in DNS_RESULTS:
    dns_lookups_total.labels(_result)
