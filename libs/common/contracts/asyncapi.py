"""The AsyncAPI 3 document: what goes over RabbitMQ, for people and programs outside this project.

A message type is a channel (its routing key), and so is each service's queue: operations say who
sends to the one and receives from the other.
"""

from collections.abc import Iterator
from typing import Any

from pydantic.json_schema import models_json_schema

from libs.common.authority import Authority
from libs.common.broker.rabbitmq.names import dead_queue, retry_queue
from libs.common.broker.topology import ALL, EXCHANGE, UNDELIVER, Queue
from libs.common.contracts import CONTRACTS, TENANTLESS
from libs.common.contracts.base import Contract
from libs.common.contracts.envelope import INTRODUCTION, PROPERTIES, example_headers, headers
from libs.common.contracts.examples import EXAMPLES

#: Of the exchange's rules; each type and queue carries its own version in its name.
VERSION = "1.0.0"

_BINDING = {"bindingVersion": "0.3.0"}
#: Any system that the configuration names under `publishers`.
UPSTREAM = "upstream"

Json = dict[str, Any]


def document() -> Json:
    """Return the document; one for all services, so `send` and `receive` are theirs."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "undeliver",
            "version": VERSION,
            "description": INTRODUCTION,
            "license": {
                "name": "Apache-2.0",
                "url": "https://www.apache.org/licenses/LICENSE-2.0",
            },
        },
        "defaultContentType": "application/json",
        "servers": {"amqp": _server("amqp", "5672"), "amqps": _server("amqps", "5671")},
        "channels": {
            **{type_: _type_channel(type_) for type_ in CONTRACTS},
            **{queue.name: _queue_channel(queue) for queue in UNDELIVER.queues},
        },
        "operations": dict(_operations()),
        "components": {
            "messages": {type_: _message(contract) for type_, contract in CONTRACTS.items()},
            "schemas": {
                "amqpProperties": PROPERTIES,
                "headers": headers(tenant_required=True),
                "headersWithoutTenant": headers(tenant_required=False),
                **_body_schemas(),
            },
            "securitySchemes": {
                "user": {
                    "type": "userPassword",
                    "description": "SASL PLAIN, over TLS. The user name is the publisher.",
                }
            },
        },
    }


def commands() -> tuple[str, ...]:
    """Return the types that ask a service to do something."""
    return tuple(
        type_ for queue in UNDELIVER.queues if ".commands." in queue.name for type_ in queue.types
    )


def _server(protocol: str, port: str) -> Json:
    return {
        "host": f"{{host}}:{port}",
        "pathname": "/{vhost}",
        "protocol": protocol,
        "protocolVersion": "0-9-1",
        "description": "RabbitMQ 3.10 or later" + (", with TLS" if protocol == "amqps" else ""),
        "variables": {
            "host": {"default": "localhost"},
            "vhost": {"default": "undeliver", "description": "One for each deployment."},
        },
        "security": [{"$ref": "#/components/securitySchemes/user"}],
    }


def _type_channel(type_: str) -> Json:
    exchange = {"name": EXCHANGE, "type": "topic", "durable": True, "autoDelete": False}
    return {
        "address": type_,
        "summary": _first_line(CONTRACTS[type_]),
        "messages": {type_: {"$ref": f"#/components/messages/{type_}"}},
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, **_BINDING}},
    }


def _queue_channel(queue: Queue) -> Json:
    types = ", ".join(f"`{each}`" for each in queue.types)
    steps = ", ".join(
        f"`{retry_queue(queue.name, each)}`" for each in UNDELIVER.delay_steps_seconds
    )
    binding = {"name": queue.name, "durable": True, "exclusive": False, "autoDelete": False}
    return {
        "address": queue.name,
        "summary": f"What {queue.service} consumes: {types}.",
        "description": (
            f"A quorum queue of {queue.service} alone; its retries wait in {steps}, and what was "
            f"given up on is kept in `{dead_queue(queue.name)}`."
        ),
        "messages": {
            type_: {"$ref": f"#/components/messages/{type_}"} for type_ in _consumed(queue)
        },
        "bindings": {"amqp": {"is": "queue", "queue": binding, **_BINDING}},
    }


def _message(contract: type[Contract]) -> Json:
    type_ = contract.type
    tenantless = type_ in TENANTLESS
    message: Json = {
        "name": type_,
        "title": contract.__name__,
        "summary": _first_line(contract),
        "contentType": "application/json",
        "headers": {
            "$ref": f"#/components/schemas/{'headersWithoutTenant' if tenantless else 'headers'}"
        },
        "payload": {"$ref": f"#/components/schemas/{contract.__name__}"},
        "bindings": {"amqp": {"messageType": type_, **_BINDING}},
        "x-amqp-properties": {"$ref": "#/components/schemas/amqpProperties"},
    }
    example = EXAMPLES.get(type_)
    if example is not None:
        payload = example.model_dump(mode="json", by_alias=True)
        message["examples"] = [
            {"name": type_, "headers": example_headers(example), "payload": payload}
        ]
    return message


def _operations() -> Iterator[tuple[str, Json]]:
    for user, types in Authority([]).types().items():
        for type_ in filter(CONTRACTS.__contains__, types):
            yield f"{user}.sends.{type_}", _send(user, type_, f"As user `{user}`.")
    for type_ in commands():
        note = "As a user whom the configuration gives the right to, under `publishers`."
        yield f"{UPSTREAM}.sends.{type_}", _send(UPSTREAM, type_, note)
    for queue in UNDELIVER.queues:
        yield (
            f"{queue.service}.receives.{queue.name}",
            {
                "action": "receive",
                "channel": {"$ref": f"#/channels/{queue.name}"},
                "tags": [{"name": queue.service}],
                "bindings": {"amqp": {"ack": True, **_BINDING}},
            },
        )


def _send(user: str, type_: str, note: str) -> Json:
    binding = {"deliveryMode": 2, "mandatory": True, "timestamp": True, **_BINDING}
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{type_}"},
        "summary": note,
        "tags": [{"name": user}],
        "bindings": {"amqp": binding},
    }


def _consumed(queue: Queue) -> tuple[str, ...]:
    return tuple(CONTRACTS) if ALL in queue.types else queue.types


def _body_schemas() -> Json:
    """Return the schemas of all bodies and of their parts, each once."""
    _, definitions = models_json_schema(
        [(contract, "validation") for contract in CONTRACTS.values()],
        by_alias=True,
        ref_template="#/components/schemas/{model}",
    )
    schemas: Json = definitions["$defs"]
    return schemas


def _first_line(contract: type[Contract]) -> str:
    return (contract.__doc__ or "").strip().splitlines()[0]
