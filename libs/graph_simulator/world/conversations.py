"""Conversation indexes ([MS-OXOMSG] 2.2.1.3): who answered whom, and in which conversation.

An index is 22 bytes (the upper six bytes of a FILETIME, whose first is 0x01, and a GUID) and five
more for each answer. The header `Thread-Index` is its base64; the conversation is the GUID.
"""

import base64
import binascii
import hashlib
from datetime import UTC, datetime

_FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_ROOT_BYTES, _CHILD_BYTES = 22, 5
_LONGEST_INDEX = _ROOT_BYTES + 250 * _CHILD_BYTES


def new_index(at: datetime, guid: bytes) -> bytes:
    """Begin a conversation."""
    return _filetime(at).to_bytes(8, "big")[:6] + guid


def child_index(parent: bytes, at: datetime, chance: int) -> bytes:
    """Add the five bytes of an answer: the time since the conversation began, and chance.

    An index at its longest is not extended, as Outlook stops, too.
    """
    if len(parent) + _CHILD_BYTES > _LONGEST_INDEX:
        return parent
    began = int.from_bytes(parent[:6], "big") << 16
    passed = max(0, _filetime(at) - began)
    coarse = passed >= 1 << 49
    difference = (passed >> (23 if coarse else 18)) & 0x7FFFFFFF
    return parent + ((int(coarse) << 31) | difference).to_bytes(4, "big") + bytes([chance & 0xFF])


def from_thread_index(header: str | None) -> bytes | None:
    """Read the header; None where there is none, or where it is not an index."""
    if not header or len(header) > 4 * _LONGEST_INDEX:
        return None
    try:
        raw = base64.b64decode("".join(header.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    whole = len(raw) >= _ROOT_BYTES and (len(raw) - _ROOT_BYTES) % _CHILD_BYTES == 0
    return raw if whole and raw[0] == 1 and len(raw) <= _LONGEST_INDEX else None


def topic_hash(topic: str) -> bytes:
    """Name the conversation of a message whose index does not count: MD5 of its topic."""
    text = topic[:255].upper().encode("utf-16-le", "surrogatepass")
    return hashlib.md5(text, usedforsecurity=False).digest()


def guid_of(index: bytes) -> bytes:
    """Return the conversation."""
    return index[6:_ROOT_BYTES]


def _filetime(at: datetime) -> int:
    passed = at - _FILETIME_EPOCH
    return (passed.days * 86_400 + passed.seconds) * 10_000_000 + passed.microseconds * 10
