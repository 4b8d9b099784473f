"""The one spelling of a value: what is hashed must be the same bytes for everybody.

docs/adr/0004-chain-format.md defines it for third parties; RFC 8785 is its model.
"""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
).encode


class UnfaithfulError(ValueError):
    """The JSON text says something that its parsed value would not say again."""


def canonical_json(value: object) -> bytes:
    """Return UTF-8 JSON: keys sorted by code point, no white space, nothing escaped needlessly.

    Raises:
        ValueError: NaN, an infinity, or a lone surrogate.
    """
    return _encode(value).encode()


def canonical_instant(at: datetime) -> str:
    """Return an aware instant as `2026-01-05T09:00:00.000000Z`: UTC, always six decimals."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def faithful_json(body: bytes) -> object:
    """Parse JSON whose every part survives parsing and writing.

    Raises:
        ValueError: not UTF-8, not JSON (RFC 8259), a repeated key, a number that a double cannot
            hold exactly as written.
        RecursionError: nested too deeply.
    """
    return json.loads(
        body.decode(),
        object_pairs_hook=_object,
        parse_float=_number,
        parse_constant=_constant,
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise UnfaithfulError("repeated key")
    return found


def _number(literal: str) -> float:
    number = float(literal)
    if Decimal(repr(number)) != Decimal(literal):
        raise UnfaithfulError("number beyond a double")
    return number


def _constant(literal: str) -> float:
    raise UnfaithfulError(literal)
