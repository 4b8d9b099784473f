"""What goes around a body on AMQP: properties and headers, as the published document says it."""

from typing import Any

from libs.common.broker.topology import EXCHANGE, MAX_BODY_BYTES
from libs.common.contracts.base import Contract

INTRODUCTION = f"""\
undeliver takes back e-mail that has already been delivered. Its services talk by messages over one
topic exchange, and upstream systems send the same commands.

To publish a command, say `mail.retract.v1`:

1. The operator names your system under `publishers` in the configuration (which types, which
   tenants, which destinations) and makes a RabbitMQ user of the same name.
2. Connect as that user, turn publisher confirms on, and publish to the exchange `{EXCHANGE}` with
   the type as routing key, `mandatory` and persistent. The body is UTF-8 JSON, at most
   {MAX_BODY_BYTES:,} bytes.
3. Set the AMQP properties of `components/schemas/amqpProperties`, and the header `tenant` to what
   the body says.
4. It is accepted once the broker has confirmed it. No confirm in time, or returned as unroutable:
   send the same message again, under the same `message_id`. A message is known by its publisher
   and `message_id`: sent twice it is done once, and the same id with another body is kept and
   never executed.

What came of it is announced as `retraction.accepted.v1`, `copy.settled.v1`,
`retraction.finished.v1` …, whose `correlation_id` is that of the command. What cannot be understood
and what its publisher may not say is dead-lettered, and announced as `delivery.dead_lettered.v1`.
Upstream users may publish and nothing else: to read events, have the operator declare a queue,
bind it to the exchange for the types that you want, and make you a second user who may read it.

Readers ignore fields that they do not know. `x-personal` marks what may be personal data.
"""

_UUID = {"type": "string", "format": "uuid"}

PROPERTIES: dict[str, Any] = {
    "type": "object",
    "description": "Properties of AMQP 0-9-1 (basic class), by their names there.",
    "required": [
        "content_type",
        "delivery_mode",
        "message_id",
        "type",
        "timestamp",
        "correlation_id",
        "user_id",
    ],
    "properties": {
        "content_type": {"const": "application/json"},
        "delivery_mode": {"const": 2, "description": "Persistent."},
        "message_id": {
            **_UUID,
            "description": "Identity of this message; the same when it is sent again.",
        },
        "type": {"type": "string", "description": "The message type; equals the routing key."},
        "timestamp": {
            "type": "integer",
            "description": "When the message was made, in seconds since 1970-01-01 UTC.",
        },
        "correlation_id": {
            "type": "string",
            "description": "The id of the first cause; for a first cause its own `message_id`.",
        },
        "user_id": {
            "type": "string",
            "description": "The user that the connection signed in as. The broker refuses another.",
        },
        "app_id": {
            "type": "string",
            "description": "Which program made it: informative, proves nothing.",
        },
    },
}


def headers(*, tenant_required: bool) -> dict[str, Any]:
    """Return the schema of the headers."""
    tenant = "Whose mail it is about: repeats the body's `tenant`; a difference is refused."
    if not tenant_required:
        tenant += " Absent where that is null."
    return {
        "type": "object",
        "required": ["tenant"] if tenant_required else [],
        "properties": {
            "tenant": {"type": "string", "description": tenant},
            "causation_id": {
                "type": "string",
                "description": "`message_id` of the direct cause; absent for a first cause.",
            },
            "traceparent": {"type": "string", "description": "W3C Trace Context, handed on."},
            "attempt": {
                "type": "integer",
                "minimum": 1,
                "description": "1 + recorded failures; set by the consuming service on a retry.",
            },
            "publisher": {
                "type": "string",
                "description": (
                    "The first, proved publisher; set on a retry or replay by the consuming "
                    "service or the operator, and believed from nobody else."
                ),
            },
        },
    }


def example_headers(example: Contract) -> dict[str, Any]:
    """Return the headers that a first cause needs."""
    return {} if example.tenant is None else {"tenant": example.tenant}
