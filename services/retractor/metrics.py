"""Every metric of the retractor. Labels have few, known values and start at zero."""

from prometheus_client import Counter, Gauge, Histogram

from libs.common.contracts.retraction import Outcome
from services.retractor.domain.retraction import Status

RETRACTIONS = Counter(
    "undeliver_retractions",
    "Retractions and restores that have ended or wait for a person, by how.",
    ["outcome"],
)
for _status in (
    Status.FINISHED,
    Status.HELD,
    Status.REFUSED,
    Status.UNKNOWN_MESSAGE,
    Status.CANCELLED,
):
    RETRACTIONS.labels(outcome=_status.value)

COPIES = Counter("undeliver_copies", "Copies in mailboxes that were settled, by how.", ["outcome"])
for _outcome in Outcome:
    COPIES.labels(outcome=_outcome.value)

#: What we ask of Graph; `status` is the class of the answer.
OPERATIONS = (
    "users",
    "folder",
    "find",
    "conversation",
    "look_up",
    "move",
    "purge",
    "mark",
)
ANSWERS = ("2xx", "401", "403", "404", "429", "4xx", "5xx", "none")

GRAPH_REQUESTS = Histogram(
    "undeliver_graph_request_duration_seconds",
    "How long Microsoft Graph took to answer.",
    ["operation", "status"],
    buckets=(0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 5, 15, 60),
)
for _operation in OPERATIONS:
    GRAPH_REQUESTS.labels(operation=_operation, status="2xx")

GRAPH_THROTTLES = Counter(
    "undeliver_graph_throttles",
    "Requests that Graph refused for now: of one mailbox, or of the whole application.",
    ["scope"],
)
for _scope in ("mailbox", "application"):
    GRAPH_THROTTLES.labels(scope=_scope)

MAILBOXES_IN_WORK = Gauge("undeliver_mailboxes_in_work", "Mailboxes that workers visit right now.")

VISIT_FAILURES = Counter(
    "undeliver_visit_failures",
    "Attempts on a search or copy that failed, by what followed.",
    ["consequence"],
)
for _consequence in ("retried", "given_up"):
    VISIT_FAILURES.labels(consequence=_consequence)
