"""Header values of hostile mail: decoded and taken apart in linear time.

The standard library's address parser recurses on nested comments, and its newer policies take
seconds for a long list of addresses or of encoded words: hence our own, which promises less.
"""

import re
from binascii import Error as Base64Error
from email.errors import HeaderParseError
from email.header import decode_header

from services.classifier.domain.mail import Address

MAX_VALUE_CHARACTERS = 16_384
MAX_ENCODED_CHARACTERS = 4_096
MAX_ADDRESSES = 500

#: Codecs that `bytes.decode` knows but that are no charsets, or take quadratic time.
_NOT_CHARSETS = frozenset(
    {"idna", "mbcs", "oem", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}
)
_ADDRESS = re.compile(r"[^\s<>()\",;:\[\]]{1,128}@[^\s<>()\",;:]{1,253}")
_COMMENT = re.compile(r"\([^()]*\)")


def to_text(raw: bytes, charset: str | None) -> str:
    """Decode bytes by their declared charset, or by what mail without one most often is."""
    name = (charset or "utf-8").strip().strip("'\"").lower().replace("_", "-")
    if name in _NOT_CHARSETS or "\0" in name:
        name = "utf-8"
    try:
        return raw.decode(name, "strict" if name == "utf-8" else "replace")
    except (LookupError, UnicodeError, ValueError):
        return raw.decode("latin-1")


def readable(value: str) -> str:
    """Return raw 8-bit text, which the parser hides in surrogates, as characters."""
    return value if value.isascii() else to_text(value.encode("utf-8", "surrogateescape"), None)


def decoded(value: str) -> str:
    """Return a header value as a person reads it: unfolded, encoded words resolved (RFC 2047)."""
    value = re.sub(r"\r?\n[ \t]?", " ", value[:MAX_VALUE_CHARACTERS])
    value = readable(value)
    if "=?" not in value:
        return value.strip()
    head, rest = value[:MAX_ENCODED_CHARACTERS], value[MAX_ENCODED_CHARACTERS:]
    try:
        pieces = decode_header(head)
    except (HeaderParseError, Base64Error, ValueError):
        return value.strip()
    words = [to_text(p, charset) if isinstance(p, bytes) else p for p, charset in pieces]
    return ("".join(words) + rest).strip()


def addresses(raw: str) -> tuple[Address, ...]:
    """Return the addresses of a raw header value, at most `MAX_ADDRESSES`."""
    found = []
    for piece in _split(raw[:MAX_VALUE_CHARACTERS]):
        if piece.strip():
            found.append(_address(piece))
        if len(found) == MAX_ADDRESSES:
            break
    return tuple(found)


def _split(value: str) -> list[str]:
    """Split at commas and semicolons outside quotes and angle brackets."""
    pieces, start, is_quoted, is_angled = [], 0, False, False
    for place, character in enumerate(value):
        if character == '"' and value[place - 1 : place] != "\\":
            is_quoted = not is_quoted
        elif is_quoted:
            continue
        elif character in "<>":
            is_angled = character == "<"
        elif character in ",;" and not is_angled:
            pieces.append(value[start:place])
            start = place + 1
    return [*pieces, value[start:]]


def _address(piece: str) -> Address:
    before, bracket, inside = piece.rpartition("<")
    if bracket:
        match = _ADDRESS.search(inside)
        name = decoded(before.strip().strip('"').replace('\\"', '"'))
        return Address(name.strip(" \"'"), match.group().lower() if match else "")
    match = _ADDRESS.search(piece)
    comment = _COMMENT.search(piece)
    name = comment.group()[1:-1] if comment else ("" if match else piece)
    return Address(decoded(name.strip().strip('"')), match.group().lower() if match else "")
