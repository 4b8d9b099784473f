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


class ConfigChanged(Contract):
    """The configuration in force has changed. Event of any service."""

    type: ClassVar[str] = "config.changed.v1"

    tenant: Tenant | None
    version: str
    changed_by: Annotated[str, Personal]
    changed_at: datetime
