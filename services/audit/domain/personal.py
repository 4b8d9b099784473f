"""A body in two parts: what everybody may see for ever, and what may be erased.

The published JSON Schema of the contract decides: a value is public only where the schema declares
its field, does not mark it `x-personal`, and gives it a scalar type. All else is personal.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

from libs.common.contracts import CONTRACTS
from libs.common.contracts.base import PERSONAL_KEY

_SCALARS = frozenset({"string", "integer", "number", "boolean", "null"})


@dataclass(frozen=True, slots=True)
class Leaf:
    """A field whose whole value is on one side."""

    is_public: bool


@dataclass(frozen=True, slots=True)
class Branch:
    """A field that holds an object, or a list of such objects, with fields of both kinds."""

    fields: dict[str, "Leaf | Branch"]


Shape = Leaf | Branch
_PERSONAL = Leaf(is_public=False)
_PUBLIC = Leaf(is_public=True)


@cache
def shape_of(type_: str) -> Branch:
    """Return which fields of a contract are public."""
    schema = CONTRACTS[type_].json_schema()
    return _branch(schema, schema.get("$defs", {}))


def _branch(schema: dict[str, Any], defs: dict[str, Any]) -> Branch:
    properties = schema.get("properties", {})
    return Branch({name: _shape(field, defs) for name, field in properties.items()})


def _shape(schema: dict[str, Any], defs: dict[str, Any]) -> Shape:
    if schema.get(PERSONAL_KEY):
        return _PERSONAL
    if "$ref" in schema:
        return _shape(defs[schema["$ref"].removeprefix("#/$defs/")], defs)
    if "anyOf" in schema:
        return _either([_shape(option, defs) for option in schema["anyOf"]])
    if "properties" in schema:
        return _branch(schema, defs)
    if schema.get("type") == "array":
        return _shape(schema["items"], defs) if "items" in schema else _PERSONAL
    is_scalar = schema.get("type") in _SCALARS or "const" in schema or "enum" in schema
    return _PUBLIC if is_scalar else _PERSONAL


def _either(options: list[Shape]) -> Shape:
    """Return the strictest of the shapes that a field may have."""
    branches = [option for option in options if isinstance(option, Branch)]
    if _PERSONAL in options or len(branches) > 1:
        return _PERSONAL
    return branches[0] if branches else _PUBLIC


#: Nothing to say on this side.
_NOTHING = object()


def split(body: dict[str, Any], shape: Branch) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the public and the personal part of a body; `merge` puts them together again.

    Both are objects of the body's own structure. A list of objects is on both sides with the same
    length, or on the public one only.
    """
    public, personal = _split_object(body, shape)
    return public, {} if personal is _NOTHING else personal


def _split_object(value: dict[str, Any], shape: Branch) -> tuple[dict[str, Any], Any]:
    public: dict[str, Any] = {}
    personal: dict[str, Any] = {}
    for name, field in value.items():
        shown, hidden = _split(field, shape.fields.get(name, _PERSONAL))
        if shown is not _NOTHING:
            public[name] = shown
        if hidden is not _NOTHING:
            personal[name] = hidden
    return public, personal or _NOTHING


def _split(value: object, shape: Shape) -> tuple[Any, Any]:
    if isinstance(shape, Leaf):
        is_public = shape.is_public and _is_plain(value)
        return (value, _NOTHING) if is_public else (_NOTHING, value)
    if isinstance(value, dict):
        return _split_object(value, shape)
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return _split_list(value, shape)
    return (value, _NOTHING) if value is None else (_NOTHING, value)


def _split_list(items: list[dict[str, Any]], shape: Branch) -> tuple[list[Any], Any]:
    parts = [_split_object(item, shape) for item in items]
    public = [shown for shown, _ in parts]
    if all(hidden is _NOTHING for _, hidden in parts):
        return public, _NOTHING
    return public, [{} if hidden is _NOTHING else hidden for _, hidden in parts]


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return not any(isinstance(item, dict | list) for item in value)
    return not isinstance(value, dict)


def merge(public: object, personal: object) -> object:
    """Return the body that `split` took apart.

    Raises:
        ValueError: the two are not parts of one body.
    """
    if isinstance(public, dict) and isinstance(personal, dict):
        both = {
            name: merge(public[name], personal[name]) for name in public.keys() & personal.keys()
        }
        return {**public, **personal, **both}
    if isinstance(public, list) and isinstance(personal, list):
        return [merge(shown, hidden) for shown, hidden in zip(public, personal, strict=True)]
    raise ValueError("the two parts are not of one body")
