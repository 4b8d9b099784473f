"""Bodies that obey a contract, made at random from its published schema."""

from typing import Any

from hypothesis import strategies as st

from libs.common.contracts import CONTRACTS

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_FORMATS = {
    "uuid": st.uuids().map(str),
    "date-time": st.datetimes().map(lambda at: at.isoformat() + "Z"),
}


def bodies(type_: str) -> st.SearchStrategy[dict[str, Any]]:
    """Return JSON objects that obey the contract of a type, some with fields it does not know."""
    schema = CONTRACTS[type_].json_schema()
    known = _values(schema, schema.get("$defs", {}))
    unknown = st.dictionaries(_TEXT.map("x-".__add__), _anything(), max_size=2)
    return st.tuples(unknown, known).map(lambda parts: {**parts[0], **parts[1]})


def _values(schema: dict[str, Any], defs: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return _values(defs[schema["$ref"].rpartition("/")[2]], defs)
    if "anyOf" in schema:
        return st.one_of(*(_values(option, defs) for option in schema["anyOf"]))
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    return _of_type(schema, defs)


def _of_type(schema: dict[str, Any], defs: dict[str, Any]) -> st.SearchStrategy[Any]:
    match schema["type"]:
        case "object":
            return _objects(schema, defs)
        case "array":
            return st.lists(_values(schema["items"], defs), max_size=3)
        case "string":
            return _strings(schema)
        case "number":
            return st.floats(schema.get("minimum"), schema.get("maximum"), allow_nan=False)
    plain = {
        "integer": st.integers(schema.get("minimum"), schema.get("maximum")),
        "boolean": st.booleans(),
        "null": st.none(),
    }
    return plain[schema["type"]]


def _objects(schema: dict[str, Any], defs: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    fields = {name: _values(each, defs) for name, each in schema["properties"].items()}
    required = set(schema.get("required", ()))
    return st.fixed_dictionaries(
        {name: each for name, each in fields.items() if name in required},
        optional={name: each for name, each in fields.items() if name not in required},
    )


def _strings(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if "format" in schema:
        return _FORMATS[schema["format"]]
    if "pattern" in schema:
        return st.from_regex(schema["pattern"].replace("$", r"\Z"))
    return _TEXT


def _anything() -> st.SearchStrategy[Any]:
    plain = st.none() | st.booleans() | st.integers() | _TEXT
    return st.recursive(plain, lambda inner: st.lists(inner) | st.dictionaries(_TEXT, inner))
