"""Addresses as reports and headers write them: bare, with names, in lists, and older than SMTP.

Written by hand because the stdlib's address parser answers differently from one Python to the next
and can be made slow; this one looks at each character once.
"""

import re
from typing import NamedTuple

from libs.common.journaling.limits import MAX_ADDRESS_CHARS

#: Exchange 2003: `Bob [bob@contoso.example]`.
_BRACKETED = re.compile(r"\[([^\[\]\s]{1,500})\]\s*\Z")
_COMMENT = re.compile(r"\([^()]{0,500}\)")


class Address(NamedTuple):
    """One address, and whether it can be what SMTP calls one."""

    text: str
    #: False for X.500 and encapsulated addresses, and for text that holds none.
    is_internet: bool
    is_legacy: bool


def split_list(text: str) -> list[str]:
    """Split at commas and semicolons outside of quotes and angle brackets; drop empty pieces."""
    if not any(character in text for character in '"<'):
        # Nothing to be outside of: the common case, a hundred thousand times in one report.
        return [piece.strip() for piece in text.replace(";", ",").split(",") if piece.strip()]
    pieces: list[str] = []
    start, quoted, angled, escaped = 0, False, False, False
    for place, character in enumerate(text):
        if escaped:
            escaped = False
        elif quoted:
            escaped = character == "\\"
            quoted = character != '"'
        elif character == '"' and not angled:
            quoted = True
        elif character in "<>":
            angled = character == "<"
        elif character in ",;" and not angled:
            pieces.append(text[start:place])
            start = place + 1
    pieces.append(text[start:])
    return [piece.strip() for piece in pieces if piece.strip()]


def address_of(text: str) -> Address:
    """Return the address in `Name <address>`, `Name [address]`, `<address>` or a bare one.

    The null reverse-path `<>` is "". Where there is no address, the text itself is returned, so
    that nothing of a report is dropped.
    """
    inner = _inner(text.strip())
    is_legacy = _is_legacy(inner)
    local, at, domain = inner.rpartition("@")
    is_internet = bool(local and at and domain) and not any(c.isspace() for c in domain)
    return Address(inner[:MAX_ADDRESS_CHARS], is_internet and not is_legacy, is_legacy)


def _inner(text: str) -> str:
    if text.endswith(">"):
        _, _, angled = text.rpartition("<")
        return angled[:-1].strip()
    bracketed = _BRACKETED.search(text) if text.endswith("]") else None
    if bracketed:
        return bracketed.group(1)
    if "(" in text and not text.startswith('"'):
        return _COMMENT.sub("", text).strip()
    return text


def _is_legacy(address: str) -> bool:
    upper = address[:40].upper()
    return upper.startswith(("/O=", "EX:", "X500:", "X400:", "IMCEA", "/C="))


def internet_addresses(header_value: str) -> tuple[str, ...]:
    """Return the addresses of a header such as To, in order; names and groups are dropped."""
    found = (address_of(_without_group(piece)) for piece in split_list(header_value))
    return tuple(address.text for address in found if address.is_internet)


def _without_group(piece: str) -> str:
    """Drop `Group name:` in front of the first member (RFC 5322 §3.4)."""
    name, colon, rest = piece.partition(":")
    return rest if colon and "@" not in name and '"' not in name else piece


def domain_of(address: str) -> str:
    """Return the domain of an address, lower case, or ""."""
    return address.rpartition("@")[2].rstrip(".").lower() if "@" in address else ""
