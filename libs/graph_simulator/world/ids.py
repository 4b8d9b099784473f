"""Outlook's ids as Graph writes them ([MS-OXCEXT] 3.1.4.5 and ids seen in public).

Base64 with `/` written `-` and `+` written `_` (the reverse of RFC 4648 §5) of: compression (0
none, 1 run lengths), storage type, then for items, folders and conversations the mailbox's GUID as
text and an entry id; immutable ids hold an entry id only.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

_TO_GRAPH = bytes.maketrans(b"/+", b"-_")
_FROM_GRAPH = bytes.maketrans(b"-_", b"/+")
_PROVIDER = bytes.fromhex("1d840311aa6611cd9bc800aa002fc45a")
_MAILBOX_ITEM, _CONVERSATION, _IMMUTABLE = 3, 4, 9
_FOLDER_BYTES, _ITEM_BYTES, _CONVERSATION_BYTES = 46, 70, 16
_GUID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LONGEST_ID = 1024

Kind = Literal["item", "folder", "conversation", "immutable"]


class MalformedIdError(ValueError):
    """Not an id of Outlook."""


@dataclass(frozen=True, slots=True)
class ParsedId:
    """What an id says. `mailbox_guid` is None in immutable ids."""

    kind: Kind
    mailbox_guid: str | None
    payload: bytes


def folder_id(mailbox_guid: str, store: bytes, number: int, *, compress: bool = False) -> str:
    """Write a folder's id: constant, and it names the mailbox."""
    entry = folder_entry(mailbox_guid, store, number)
    return _mailbox_id(mailbox_guid, _MAILBOX_ITEM, entry, compress)


def folder_entry(mailbox_guid: str, store: bytes, number: int) -> bytes:
    """Write a folder's entry id; bytes 22 to 44 are what the property 0x348A of an item holds."""
    return bytes(4) + UUID(mailbox_guid).bytes + b"\x01\x00" + store + _counter(number)


def item_id(mailbox_guid: str, store: bytes, folder: int, number: int, *, compress: bool) -> str:
    """Write an item's ordinary id, which a move changes."""
    places = store + _counter(folder) + store + _counter(number)
    entry = bytes(4) + UUID(mailbox_guid).bytes + b"\x07\x00" + places
    return _mailbox_id(mailbox_guid, _MAILBOX_ITEM, entry, compress)


def immutable_id(store: bytes, number: int) -> str:
    """Write an item's id for its life in this mailbox."""
    entry = bytes(4) + _PROVIDER + b"\x0d\x00" + store + _counter(number)
    return _write(bytes([0, _IMMUTABLE, 0, len(entry), 0]) + entry)


def conversation_id(mailbox_guid: str, conversation: bytes, *, compress: bool = False) -> str:
    """Write a conversation's id in one mailbox: its 16-byte GUID with the mailbox's own."""
    return _mailbox_id(mailbox_guid, _CONVERSATION, conversation, compress)


def parse(text: str) -> ParsedId:
    """Read any of the ids above.

    Raises:
        MalformedIdError: damaged, or not an id at all.
    """
    raw = _read(text)
    if raw[:1] == b"\x01":
        raw = b"\x00" + expand(raw[1:])
    if raw[:3] == bytes([0, _IMMUTABLE, 0]) and len(raw) == 5 + _FOLDER_BYTES and raw[3] == 46:
        return ParsedId("immutable", None, raw[5:])
    kind = _kind(raw)
    return ParsedId(kind, raw[4:40].decode("ascii"), raw[43:])


def compress(raw: bytes) -> bytes:
    """Write a run of two and more equal bytes as the byte twice and how often it follows."""
    out = bytearray()
    at = 0
    while at < len(raw):
        run = 1
        while at + run < len(raw) and raw[at + run] == raw[at] and run < 257:
            run += 1
        out += raw[at : at + 1] if run == 1 else bytes([raw[at], raw[at], run - 2])
        at += run
    return bytes(out)


def expand(packed: bytes) -> bytes:
    """Undo `compress`.

    Raises:
        MalformedIdError: a run without its length, or more than any id holds.
    """
    out = bytearray()
    at = 0
    while at < len(packed) and len(out) <= _LONGEST_ID:
        byte = packed[at]
        if packed[at + 1 : at + 2] != bytes([byte]):
            out.append(byte)
            at += 1
            continue
        if at + 2 >= len(packed):
            raise MalformedIdError
        out += bytes([byte]) * (2 + packed[at + 2])
        at += 3
    return bytes(out)


def _kind(raw: bytes) -> Kind:
    sizes: dict[tuple[int, int], Kind] = {
        (_MAILBOX_ITEM, _ITEM_BYTES): "item",
        (_MAILBOX_ITEM, _FOLDER_BYTES): "folder",
        (_CONVERSATION, _CONVERSATION_BYTES): "conversation",
    }
    head_is_right = raw[:1] == b"\x00" and raw[2:4] == b"\x24\x00" and len(raw) > 43
    if not head_is_right or not _GUID.fullmatch(raw[4:40]) or raw[40] != 0:
        raise MalformedIdError
    length = int.from_bytes(raw[41:43], "little")
    kind = sizes.get((raw[1], length))
    if kind is None or len(raw) != 43 + length:
        raise MalformedIdError
    return kind


def _counter(number: int) -> bytes:
    return number.to_bytes(6, "big") + b"\x00\x00"


def _mailbox_id(mailbox_guid: str, storage: int, payload: bytes, packed: bool) -> str:
    raw = (
        bytes([storage, 36, 0])
        + mailbox_guid.encode("ascii")
        + b"\x00"
        + len(payload).to_bytes(2, "little")
        + payload
    )
    return _write(b"\x01" + compress(raw) if packed else b"\x00" + raw)


def _write(raw: bytes) -> str:
    return base64.b64encode(raw).translate(_TO_GRAPH).decode("ascii")


def _read(text: str) -> bytes:
    if len(text) > _LONGEST_ID or "/" in text or "+" in text:
        raise MalformedIdError
    try:
        return base64.b64decode(text.encode("ascii").translate(_FROM_GRAPH), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise MalformedIdError from error
