"""How deep a message nests, told from its bytes before a recursive parser sees them."""

import re
from itertools import islice

#: The standard library's parser recurses once per level, for every line.
MAX_DEPTH = 100

_MARKS = re.compile(
    rb"^--(?P<delimiter>[^\r\n]{1,200})"
    rb"|boundary\s*=\s*(?:\"(?P<quoted>[^\"\r\n]{1,200})\"|(?P<bare>[^\s;\"]{1,200}))"
    rb"|^content-type:\s*(?P<message>message/(?:rfc822|global))",
    re.IGNORECASE | re.MULTILINE,
)
_DECLARATION = re.compile(rb"content-type:\s*(?:multipart/|message/)", re.IGNORECASE)


def is_too_deep(raw: bytes) -> bool:
    """Say whether parsing this message would recurse beyond `MAX_DEPTH`; linear in its size."""
    declared = sum(1 for _ in islice(_DECLARATION.finditer(raw), MAX_DEPTH + 1))
    return declared > MAX_DEPTH and _depth(raw) > MAX_DEPTH


def _depth(raw: bytes) -> int:
    """Follow declarations and delimiters with a stack; null stands for an attached message."""
    stack: list[bytes | None] = []
    places: dict[bytes, int] = {}
    deepest = 0
    for mark in _MARKS.finditer(raw):
        if mark["message"]:
            stack.append(None)
        elif mark["delimiter"] is not None:
            _rewind(stack, places, mark["delimiter"].rstrip())
        else:
            boundary = (mark["quoted"] or mark["bare"]).rstrip()
            places.setdefault(boundary, len(stack))
            stack.append(boundary)
        deepest = max(deepest, len(stack))
    return deepest


def _rewind(stack: list[bytes | None], places: dict[bytes, int], delimiter: bytes) -> None:
    is_end = delimiter not in places and delimiter.endswith(b"--")
    boundary = delimiter[:-2] if is_end else delimiter
    place = places.get(boundary)
    if place is None:
        return
    keep = place if is_end else place + 1
    for dropped in stack[keep:]:
        if dropped is not None and places.get(dropped, -1) >= keep:
            del places[dropped]
    del stack[keep:]
