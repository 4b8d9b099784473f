"""Messages about the running of undeliver itself."""

from datetime import datetime
from typing import Annotated, ClassVar

from libs.common.contracts.base import Contract, Personal, Tenant


class DeliveryDeadLettered(Contract):
    """A consumer has given up on a delivery; it is kept with its reason. Event of any service.

    When is the message's own timestamp: a second run after a crash announces the same body.
    """

    type: ClassVar[str] = "delivery.dead_lettered.v1"

    tenant: Tenant | None
    queue: str
    #: Type, id and proved publisher of the delivery that was given up on.
    dead_type: str
    dead_message_id: str
    publisher: str
    reason: str
    attempt: int


class DeliveryReplayed(Contract):
    """An operator returns a dead letter to the queue that it came from. Event of people's commands.

    Published before it is done, so that no replay is without it: where the command dies in between,
    the letter is still there, and a second run announces the same body under the same id.
    """

    type: ClassVar[str] = "delivery.replayed.v1"

    #: As that of the dead letter's own announcement.
    tenant: Tenant | None
    queue: str
    #: Type, id and proved first publisher of what is replayed.
    dead_type: str
    dead_message_id: str
    publisher: str
    #: Why it was given up on, when, and at which attempt.
    reason: str
    dead_lettered_at: datetime
    attempt: int
    requested_by: Annotated[str, Personal]


class ConfigChanged(Contract):
    """The configuration in force has changed. Event of any service."""

    type: ClassVar[str] = "config.changed.v1"

    tenant: Tenant | None
    version: str
    changed_by: Annotated[str, Personal]
    changed_at: datetime
