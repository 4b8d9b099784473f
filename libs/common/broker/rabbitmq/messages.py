"""Our messages as AMQP properties and headers, and back, whoever wrote them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import aio_pika
from aiormq.abc import DeliveredMessage

from libs.common.broker.port import Delivery, Message
from libs.common.broker.rabbitmq.names import OPERATOR, REPLAY_EXCHANGE, service_exchange
from libs.common.broker.topology import EXCHANGE, Queue

TENANT, CAUSATION_ID, TRACEPARENT = "tenant", "causation_id", "traceparent"
#: Believed only from ourselves: see `Arrival.is_ours`.
ATTEMPT, PUBLISHER, HANDED_BACK = "attempt", "publisher", "handed_back"
REASON, LETTER_ID, DEAD_LETTERED_AT = "reason", "dead_letter_id", "dead_lettered_at"
#: The id as it came, where there was none: AMQP's property cannot be empty.
MESSAGE_ID = "message_id"
MISROUTED = "misrouted"

#: Nobody proved that he published it; no configuration can name this publisher.
NOBODY = ""
#: Longer headers are no tenant and no id of ours; a frame has room for 128 KiB.
_MAX_HEADER = 255
_MAX_ATTEMPT = 1000
#: Of a message that does not say when it was made: the same at each delivery.
_UNTOLD = datetime.fromtimestamp(0, UTC)

Headers = Mapping[str, str | int | bool]


def outgoing(
    message: Message, *, publisher: str, headers: Headers | None = None
) -> aio_pika.Message:
    """Return a message for the wire. AMQP's timestamps have a resolution of one second."""
    own = {
        TENANT: message.tenant,
        CAUSATION_ID: message.causation_id,
        TRACEPARENT: message.traceparent,
        MESSAGE_ID: None if message.message_id else "",
        MISROUTED: message.is_misrouted or None,
        **(headers or {}),
    }
    return aio_pika.Message(
        message.body,
        headers={name: value for name, value in own.items() if value is not None},
        content_type="application/json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        message_id=message.message_id,
        type=message.type,
        timestamp=message.timestamp,
        correlation_id=message.correlation_id,
        app_id=message.app_id,
        user_id=publisher,
    )


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as it came from a queue of ours. Reading it never fails."""

    arrived: DeliveredMessage
    #: The queue that it is for: its own, or that of which it is a dead letter.
    queue: Queue

    @property
    def is_ours(self) -> bool:
        """Whether we put it into the queue ourselves, so that our own headers are true.

        `user_id` is checked by the broker. A service writes to its own exchange only, the operator
        to his; what came by the topic exchange is somebody's word, a service's included.
        """
        came_by, user_id = self.arrived.exchange, self._user_id
        if came_by == service_exchange(self.queue.service):
            return user_id in (self.queue.service, OPERATOR)
        return came_by == REPLAY_EXCHANGE and user_id == OPERATOR

    @property
    def delivery_count(self) -> int:
        """How often the broker has taken it back; before 4.3 that includes our hand-backs."""
        return self._number("x-delivery-count")

    @property
    def headers(self) -> Mapping[str, object]:
        """The headers as they came: anybody's word."""
        return self.arrived.header.properties.headers or {}

    def delivery(self, receipt: object) -> Delivery:
        """Return it as the port knows it; what is missing or wrong fails the decoder later."""
        attempt = self.own_number(ATTEMPT, 1)
        first = self.own_text(PUBLISHER)
        return Delivery(
            message=self._message(),
            # The first may be nobody: that we published it since proves nothing for him.
            publisher=self._user_id if first is None else first,
            queue=self.queue.name,
            attempt=attempt,
            redelivered=(
                bool(self.arrived.redelivered)
                or attempt > 1
                or (self.is_ours and bool(self.headers.get(HANDED_BACK)))
            ),
            receipt=receipt,
        )

    def own_text(self, name: str) -> str | None:
        """Return a header that only we may set."""
        return self._text(name) if self.is_ours else None

    def own_number(self, name: str, default: int) -> int:
        """Return a header that only we may set."""
        return max(default, self._number(name)) if self.is_ours else default

    def _message(self) -> Message:
        properties = self.arrived.header.properties
        is_nameless = self.is_ours and MESSAGE_ID in self.headers
        message_id = "" if is_nameless else properties.message_id or ""
        return Message(
            message_id=message_id,
            type=properties.message_type or "",
            body=self.arrived.body,
            tenant=self._text(TENANT),
            correlation_id=properties.correlation_id or message_id,
            causation_id=self._text(CAUSATION_ID),
            timestamp=properties.timestamp or _UNTOLD,
            app_id=properties.app_id or "",
            traceparent=self._text(TRACEPARENT),
            is_misrouted=self._is_misrouted,
        )

    @property
    def _is_misrouted(self) -> bool:
        if self.arrived.exchange == EXCHANGE:
            # Also where it came here by another key, which `CC` lets a publisher name.
            return self.arrived.routing_key != self.arrived.header.properties.message_type
        return self.is_ours and bool(self.headers.get(MISROUTED))

    @property
    def _user_id(self) -> str:
        return self.arrived.header.properties.user_id or NOBODY

    def _text(self, name: str) -> str | None:
        value = self.headers.get(name)
        if value is None:
            return None
        if isinstance(value, bytes | bytearray):
            value = bytes(value).decode("utf-8", "replace")
        if not isinstance(value, str):
            return f"<{type(value).__name__}>"  # no tenant's name, so it will not pass for one
        return value if len(value) <= _MAX_HEADER else f"{value[:_MAX_HEADER]}…"

    def _number(self, name: str) -> int:
        value = self.headers.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            return 0
        return min(max(value, 0), _MAX_ATTEMPT)
