"""Queues, bindings and limits: the one place that names them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

EXCHANGE = "undeliver"

#: After how long a failed delivery comes back: by attempt.
DELAY_STEPS_SECONDS = (5.0, 30.0, 300.0, 1800.0)

#: Deliveries without settlement after which a message is taken for one that crashes its consumer.
DELIVERY_LIMIT = 20

#: RabbitMQ 4 refuses above 16 MiB by default; raw mail travels by reference.
MAX_BODY_BYTES = 8 * 1024 * 1024

#: Every message, as a binding.
ALL = "#"


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable queue of one service, bound to message types."""

    name: str
    service: str
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Topology:
    """All queues of a deployment, with the limits that hold for each."""

    queues: tuple[Queue, ...]
    delay_steps_seconds: tuple[float, ...] = field(default=DELAY_STEPS_SECONDS)
    delivery_limit: int = DELIVERY_LIMIT

    def queues_for(self, type_: str) -> tuple[str, ...]:
        """Return the queues that must get messages of a type."""
        return tuple(queue.name for queue in self.queues if {type_, ALL} & set(queue.types))


#: `unknown`: the broker has no question for it; declaring it makes sure.
State = Literal["declared", "present", "missing", "different", "unknown"]


@dataclass(frozen=True, slots=True)
class Part:
    """One thing of a topology, and whether a broker has it."""

    kind: Literal["exchange", "queue", "binding"]
    #: Of a binding: `QUEUE for TYPE`, as `Broker.missing` says it, or `QUEUE from EXCHANGE`.
    name: str
    state: State
    #: What it should have.
    arguments: Mapping[str, object] = field(default_factory=dict)
    #: In what it differs, in the broker's words.
    detail: str | None = None


CLASSIFIER_EVENTS = "undeliver.classifier.events.v1"
RETRACTOR_COMMANDS = "undeliver.retractor.commands.v1"
RETRACTOR_EVENTS = "undeliver.retractor.events.v1"
AUDIT_EVENTS = "undeliver.audit.events.v1"

#: Commands and events apart, so that an analyst's command never waits behind a flood of mail. The
#: classifier and ingest get a command queue with their first command.
UNDELIVER = Topology(
    queues=(
        Queue(CLASSIFIER_EVENTS, "classifier", ("mail.journaled.v1",)),
        Queue(
            RETRACTOR_COMMANDS,
            "retractor",
            ("mail.retract.v1", "retraction.restore.v1", "retraction.cancel.v1"),
        ),
        Queue(RETRACTOR_EVENTS, "retractor", ("mail.journaled.v1",)),
        Queue(AUDIT_EVENTS, "audit", (ALL,)),
    )
)
