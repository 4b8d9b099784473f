"""Every metric of ingest."""

from prometheus_client import Counter, Gauge, Histogram

MAILS = Counter(
    "undeliver_ingest_mails",
    "Messages taken, by kind and by what became of them.",
    ["kind", "outcome"],
)
for _kind in ("journal", "copy", "report", "validation", "unknown"):
    for _outcome in ("published", "held", "duplicate", "conflicting"):
        MAILS.labels(_kind, _outcome)

PARSE_FAILURES = Counter(
    "undeliver_ingest_parse_failures",
    "Messages accepted raw because parsing them failed.",
    ["reason"],
)
for _reason in ("raised", "timeout", "crashed"):
    PARSE_FAILURES.labels(_reason)

PARSE_SECONDS = Histogram(
    "undeliver_ingest_parse_duration_seconds",
    "Time to parse one message, waiting for a process included.",
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30),
)

SMTP_REPLIES = Counter(
    "undeliver_ingest_smtp_replies",
    "Replies that decide over a message or a recipient, by code.",
    ["verb", "code"],
)
for _verb, _codes in {
    "MAIL": ("250", "530", "552"),
    "RCPT": ("250", "451", "452", "550"),
    "DATA": ("250", "451", "452", "552"),
}.items():
    for _code in _codes:
        SMTP_REPLIES.labels(_verb, _code)

SMTP_CONNECTIONS = Gauge("undeliver_ingest_smtp_connections", "SMTP connections open now.")
SMTP_REFUSED = Counter(
    "undeliver_ingest_smtp_connections_refused", "Connections refused because there were too many."
)
TLS_HANDSHAKES = Counter(
    "undeliver_ingest_smtp_tls_handshakes",
    "Attempts to encrypt a connection, by how they ended.",
    ["outcome"],
)
for _outcome in ("done", "failed", "timed_out", "broken_off"):
    TLS_HANDSHAKES.labels(_outcome)

SMTP_MAILS = Counter(
    "undeliver_ingest_smtp_mails",
    "Messages answered with 250, by how they were encrypted on their way.",
    ["tls"],
)
for _version in ("none", "TLSv1.2", "TLSv1.3"):
    SMTP_MAILS.labels(_version)

CERTIFICATE_EXPIRY = Gauge(
    "undeliver_smtp_certificate_expiry_timestamp_seconds",
    "When the certificate in use expires; 0 without one.",
)
CERTIFICATE_LOADS = Counter(
    "undeliver_ingest_smtp_certificate_loads",
    "Times that a new certificate was taken from its files, or could not be.",
    ["outcome"],
)
for _outcome in ("loaded", "failed"):
    CERTIFICATE_LOADS.labels(_outcome)

RECEIVED_BYTES = Counter("undeliver_ingest_received_bytes", "Bytes of messages taken in full.")

RAW_MAILS_DELETED = Counter(
    "undeliver_ingest_raw_mails_deleted", "Raw mails deleted because their tenant's time was over."
)
RETENTION_FAILURES = Counter(
    "undeliver_ingest_retention_failures", "Hourly looks for overdue mail that broke off."
)
RAW_MAIL_OVERDUE_SECONDS = Gauge(
    "undeliver_ingest_raw_mail_overdue_seconds",
    "For how long the oldest raw mail should have been deleted already.",
)
SWEEPS = Counter(
    "undeliver_ingest_sweeps", "Daily looks for raw mail that no entry names.", ["outcome"]
)
for _outcome in ("done", "refused", "failed"):
    SWEEPS.labels(_outcome)
ORPHANS = Gauge(
    "undeliver_ingest_orphans", "Raw mails that no entry names, as the last sweep found."
)
ORPHANS_DELETED = Counter(
    "undeliver_ingest_orphans_deleted", "Raw mails deleted because no entry names them."
)
