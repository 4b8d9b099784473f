"""What the audit service counts."""

from prometheus_client import Counter, Gauge, Histogram

from services.audit.domain.record import Flag

#: The label of a record with nothing remarkable about it.
NO_FLAG = "none"

records_total = Counter(
    "undeliver_audit_records_total",
    "Messages recorded, by what is remarkable about them; one with two flags counts under both.",
    ["flag"],
)
duplicates_total = Counter(
    "undeliver_audit_duplicates_total", "Messages that came again and were not recorded twice."
)
refused_total = Counter(
    "undeliver_audit_refused_total",
    "Messages that could not be recorded: kept as dead letters, or tried again later.",
)
batch_records = Histogram(
    "undeliver_audit_batch_records",
    "Messages per transaction.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200),
)
batch_duration_seconds = Histogram(
    "undeliver_audit_batch_duration_seconds", "From a batch's receipt to its commit."
)
lag_seconds = Histogram(
    "undeliver_audit_lag_seconds",
    "From the making of a message to its record.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800),
)
head_timestamp_seconds = Gauge(
    "undeliver_audit_head_timestamp_seconds",
    "When the last record of a chain was made: time() minus this is the age of its head.",
    ["chain"],
)

for _flag in (NO_FLAG, *Flag):
    records_total.labels(_flag)
