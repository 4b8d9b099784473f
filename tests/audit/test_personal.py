"""What is personal in a body goes apart, and comes back exactly."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.contracts import CONTRACTS
from services.audit.domain.canonical import canonical_json
from services.audit.domain.facts import PERSONAL_KINDS, facts_of
from services.audit.domain.personal import merge, shape_of, split
from services.audit.domain.record import BodyKind
from tests.audit.bodies import bodies
from tests.audit.messages import delivery, entry, retract

SECRET = "private-value"


@pytest.mark.parametrize("type_", CONTRACTS)
@settings(max_examples=15, deadline=None)
@given(choice=st.data())
def test_a_body_in_two_parts_is_the_body_again(type_, choice):
    body = choice.draw(bodies(type_))

    public, personal = split(body, shape_of(type_))

    assert merge(public, personal) == body
    # After a journey through bytes, too, as the record keeps them.
    parts = (json.loads(canonical_json(part)) for part in (public, personal))
    assert merge(*parts) == body


@pytest.mark.parametrize("type_", CONTRACTS)
@settings(max_examples=6, deadline=None)
@given(choice=st.data())
def test_whatever_the_contract_marks_is_not_public(type_, choice):
    schema = CONTRACTS[type_].json_schema()
    body = _stained(choice.draw(bodies(type_)), schema, schema.get("$defs", {}))

    public, _ = split(body, shape_of(type_))

    assert SECRET not in json.dumps(public)


@pytest.mark.parametrize("type_", CONTRACTS)
@settings(max_examples=6, deadline=None)
@given(choice=st.data())
def test_what_search_keeps_after_an_erasure_is_public(type_, choice):
    body = {**choice.draw(bodies(type_)), "unheard_of": {"retraction_id": "a", "mailbox": "b"}}
    public, _ = split(body, shape_of(type_))

    marks = facts_of(type_, body, public).marks
    lasting = {each for each in marks if each.kind not in PERSONAL_KINDS}

    assert lasting == facts_of(type_, public, public).marks


def _stained(value, schema, defs):
    """Return a body with a known text in every field that its schema marks."""
    for option in schema.get("anyOf", ()):
        if "$ref" in option or "items" in option:
            schema = option if value is not None else schema
    if "$ref" in schema:
        schema = defs[schema["$ref"].rpartition("/")[2]]
    if isinstance(value, list) and "items" in schema:
        return [_stained(item, schema["items"], defs) for item in value]
    if not isinstance(value, dict):
        return value
    fields = schema["properties"]
    return {
        name: SECRET
        if fields.get(name, {"x-personal": True}).get("x-personal")
        else _stained(field, fields[name], defs)
        for name, field in value.items()
    }


def test_a_field_that_the_contract_does_not_know_is_personal():
    public, personal = split({"tenant": "acme", "phone": "555"}, shape_of("mail.retract.v1"))

    assert (public, personal) == ({"tenant": "acme"}, {"phone": "555"})


def test_recipients_are_split_one_by_one():
    recipients = [{"address": "a@acme.example", "role": "to"}, {"role": "cc"}]

    public, personal = split(
        {"envelope": {"sender": "x@evil.example", "recipients": recipients}},
        shape_of("mail.journaled.v1"),
    )

    assert public == {"envelope": {"recipients": [{"role": "to"}, {"role": "cc"}]}}
    assert personal == {
        "envelope": {"sender": "x@evil.example", "recipients": [{"address": "a@acme.example"}, {}]}
    }


def test_parts_of_different_bodies_are_not_merged():
    with pytest.raises(ValueError, match="not of one body"):
        merge({"tenant": "acme"}, {"tenant": "globex"})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'"text"',
        b"{" * 100_000,
        b'{"tenant": NaN}',
        b'{"tenant": "acme", "tenant": "globex"}',
    ],
    ids=["empty", "no text", "list", "scalar", "deep", "not a number", "repeated key"],
)
def test_bytes_that_are_not_understood_are_personal_as_they_are(body):
    taken = entry(delivery(retract(), body=body))

    assert taken.properties.body_kind == BodyKind.WHOLE
    assert (taken.public, taken.personal) == (b"", body)


@pytest.mark.parametrize(
    "extra",
    [
        '"tenant": "acme"',
        '"x": {"a": 1, "a": 2}',
        '"x": 1e999',
        '"x": 0.10000000000000000001',
        '"x": "\\ud800"',
        '"x": ' + "[" * 500 + "]" * 500,
        '"x": ' + "9" * 5000,
    ],
    ids=["key", "inner key", "infinite", "precise", "surrogate", "deep", "long"],
)
def test_a_body_that_would_change_in_the_splitting_stays_whole(extra):
    original = retract().body()
    body = original[:-1] + b", " + extra.encode() + b"}"

    taken = entry(delivery(retract(), body=body))

    if taken.properties.body_kind == BodyKind.WHOLE:
        assert taken.personal == body
    else:
        hidden = json.loads(taken.personal)["fields"]
        assert merge(json.loads(taken.public), hidden) == json.loads(body)
