"""A header block, read straight from the received bytes (RFC 5322 §2.2)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from libs.common.journaling.limits import MAX_HEADER_BYTES, MAX_HEADER_FIELDS, MAX_VALUE_BYTES
from libs.common.journaling.text import header_text

#: The line end before an empty line, and the empty line; stray carriage returns are forgiven.
_BLANK_LINE = re.compile(rb"\n\r{0,2}\n")
_LEADING_BLANK_LINE = re.compile(rb"\r{0,2}\n")
#: RFC 5322 §2.2: printable characters but the colon; blanks before the colon are obsolete syntax.
_FIELD = re.compile(rb"([!-9;-~]{1,200})[ \t]*:")


@dataclass(frozen=True, slots=True)
class Headers:
    """The fields of one header block: unfolded raw values by lower-case name, in order."""

    values: Mapping[str, tuple[bytes, ...]]
    #: More was there than is looked at.
    truncated: bool = False

    def __contains__(self, name: str) -> bool:
        """Return whether the field is there, with any value, an empty one included."""
        return name in self.values

    def all(self, name: str) -> tuple[bytes, ...]:
        """Return every value of a field."""
        return self.values.get(name, ())

    def raw(self, name: str) -> bytes | None:
        """Return the first value as it stands."""
        values = self.values.get(name)
        return values[0] if values else None

    def text(self, name: str) -> str | None:
        """Return the first value for people: decoded and bounded."""
        value = self.raw(name)
        return None if value is None else header_text(value[:MAX_VALUE_BYTES])


def split(raw: bytes, start: int, end: int) -> tuple[int, int]:
    """Return where the header block of an entity ends and where its body begins."""
    leading = _LEADING_BLANK_LINE.match(raw, start, end)
    if leading:
        return start, leading.end()
    blank = _BLANK_LINE.search(raw, start, end)
    if blank:
        return blank.start() + 1, blank.end()
    return end, end


def read(raw: bytes, start: int, end: int) -> Headers:
    """Read the fields of the header block at `raw[start:end]`; lines that are none are skipped."""
    values: dict[str, list[list[bytes]]] = {}
    value: list[bytes] | None = None
    lines = raw[start : min(end, start + MAX_HEADER_BYTES)].split(b"\n", MAX_HEADER_FIELDS)
    truncated = end - start > MAX_HEADER_BYTES
    if len(lines) > MAX_HEADER_FIELDS:
        truncated = True
        lines.pop()
    for each in lines:
        line = each.rstrip(b"\r")
        if line[:1] in (b" ", b"\t"):
            if value is not None:
                value.append(line)
            continue
        match = _FIELD.match(line)
        value = None
        if match:
            value = [line[match.end() :]]
            values.setdefault(match.group(1).decode("ascii").lower(), []).append(value)
    joined = {name: tuple(b"".join(v).strip() for v in found) for name, found in values.items()}
    return Headers(joined, truncated)
