"""The AsyncAPI document: all that an upstream developer needs to know, and true."""

import json
from pathlib import Path

import jsonschema
import pytest

from libs.common.authority import Authority
from libs.common.broker.topology import UNDELIVER
from libs.common.contracts import CONTRACTS, TENANTLESS, asyncapi

DOCUMENT = asyncapi.document()
SCHEMA = Path(__file__).parent / "asyncapi" / "asyncapi-3.0.0.schema.json"


def resolved(reference):
    place = DOCUMENT
    for step in reference["$ref"].removeprefix("#/").split("/"):
        place = place[step]
    return place


def references(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def validate(instance, reference):
    jsonschema.Draft7Validator({**DOCUMENT, **reference}).validate(instance)


def test_it_is_an_asyncapi_3_document():
    validator = jsonschema.Draft7Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))

    assert [error.message for error in validator.iter_errors(DOCUMENT)] == []
    assert list(validator.iter_errors(DOCUMENT | {"servers": [1]}))
    assert list(validator.iter_errors(DOCUMENT | {"channels": {"x": {"bindings": {"amqp": 1}}}}))


def test_every_reference_leads_somewhere():
    found = list(references(DOCUMENT))

    assert len(found) > 100
    assert all(resolved(each) for each in found)


def test_every_message_type_has_a_channel_by_its_routing_key_with_its_message():
    for type_, contract in CONTRACTS.items():
        channel = DOCUMENT["channels"][type_]
        message = resolved(channel["messages"][type_])

        assert channel["address"] == type_
        assert channel["bindings"]["amqp"]["exchange"]["name"] == "undeliver"
        assert resolved(message["payload"])["title"] == contract.__name__
        assert resolved(message["payload"])["required"] == contract.json_schema()["required"]
        assert ("tenant" in resolved(message["headers"])["required"]) == (type_ not in TENANTLESS)


def test_every_queue_has_a_channel_and_one_service_that_receives_from_it():
    for queue in UNDELIVER.queues:
        channel = DOCUMENT["channels"][queue.name]
        receiving = DOCUMENT["operations"][f"{queue.service}.receives.{queue.name}"]

        assert channel["bindings"]["amqp"]["queue"]["name"] == queue.name
        assert resolved(receiving["channel"]) == channel
        assert channel["messages"].keys() <= CONTRACTS.keys()
    assert DOCUMENT["channels"]["undeliver.audit.events.v1"]["messages"].keys() == CONTRACTS.keys()


def test_who_sends_what_is_what_the_authority_lets_them():
    sent = [name.split(".sends.") for name in DOCUMENT["operations"] if ".sends." in name]
    ours = {(user, type_) for user, type_ in sent if user != asyncapi.UPSTREAM}

    assert ours == {
        (user, type_)
        for user, types in Authority([]).types().items()
        for type_ in CONTRACTS.keys() & set(types)
    }
    assert {user for user, _ in ours} == {"ingest", "classifier", "retractor", "audit", "cli"}
    assert [asyncapi.UPSTREAM, "mail.retract.v1"] in sent


@pytest.mark.parametrize("type_", asyncapi.commands())
def test_the_example_of_each_command_is_what_the_document_and_the_contract_ask_for(type_):
    message = resolved(DOCUMENT["channels"][type_]["messages"][type_])
    (example,) = message["examples"]

    validate(example["payload"], message["payload"])
    validate(example["headers"], message["headers"])
    CONTRACTS[type_].model_validate_json(json.dumps(example["payload"]))
    with pytest.raises(jsonschema.ValidationError):
        validate(example["payload"] | {"tenant": None}, message["payload"])
    with pytest.raises(jsonschema.ValidationError):
        validate({}, message["headers"])
