"""Frames that others filled: repaired where the client could not decode them.

RabbitMQ checks the shape of a message's properties, not what is in them. The client drops the whole
connection over a type in Latin-1 or an instant in the year 500,000; the message would then come
again and again, and take with it whatever shared the connection.
"""

import struct
from collections.abc import Callable

import pamqp.frame
from pamqp import decode
from pamqp.commands import Basic
from pamqp.exceptions import PAMQPException

_METHOD, _HEADER = 1, 2
#: Of a frame's own header: type, channel, size. One byte ends it.
PREFIX_BYTES = 7
_EMPTY_TABLE = bytes(4)
#: Before the first property: class, weight, body size, flags.
_PROPERTIES_AT = 14
#: The fields of what the broker sends us about messages: short strings, or so many bytes.
_TEXT = -1
_FIELDS = {
    Basic.Deliver.index: (_TEXT, 9, _TEXT, _TEXT),
    Basic.GetOk.index: (9, _TEXT, _TEXT),
    Basic.Return.index: (2, _TEXT, _TEXT, _TEXT),
}
#: All that the client raises over bytes that it cannot decode; deep nesting ends in the first.
_UNDECODABLE = (RecursionError, PAMQPException, ValueError, ArithmeticError, OSError, struct.error)


def readable(frame: bytes) -> bytes:
    """Return a frame that the client can decode: this one, or its repaired twin.

    In the twin, undecodable texts have `?` for what is not ASCII, headers are gone, and an instant
    is 1970.
    """
    if frame[0] not in (_METHOD, _HEADER):
        return frame
    try:
        pamqp.frame.unmarshal(frame)
    except _UNDECODABLE:
        payload = frame[PREFIX_BYTES:-1]
        repaired = _header(payload) if frame[0] == _HEADER else _method(payload)
        return frame[:3] + struct.pack(">I", len(repaired)) + repaired + frame[-1:]
    return frame


def _method(payload: bytes) -> bytes:
    (method,) = struct.unpack_from(">I", payload)
    if method not in _FIELDS:
        return payload
    parts, rest = [payload[:4]], payload[4:]
    for size in _FIELDS[method]:
        length = 1 + rest[0] if size == _TEXT else size
        field, rest = rest[:length], rest[length:]
        parts.append(_text(field) if size == _TEXT else field)
    return b"".join([*parts, rest])


def _header(payload: bytes) -> bytes:
    (flags,) = struct.unpack_from(">H", payload, _PROPERTIES_AT - 2)
    parts, rest = [payload[:_PROPERTIES_AT]], payload[_PROPERTIES_AT:]
    for name in Basic.Properties.attributes():
        if flags & Basic.Properties.flags[name]:
            length_of, repair = _KINDS[Basic.Properties.amqp_type(name)]
            length = length_of(rest)
            parts.append(repair(rest[:length]))
            rest = rest[length:]
    return b"".join(parts)


def _text(field: bytes) -> bytes:
    if _decodes(decode.short_str, field):
        return field
    return field[:1] + bytes(byte if byte < 0x80 else ord("?") for byte in field[1:])


def _table(field: bytes) -> bytes:
    return field if _decodes(decode.field_table, field) else _EMPTY_TABLE


def _instant(field: bytes) -> bytes:
    return field if _decodes(decode.timestamp, field) else bytes(len(field))


def _decodes(decoder: Callable[[bytes], object], field: bytes) -> bool:
    try:
        decoder(field)
    except _UNDECODABLE:
        return False
    return True


#: By AMQP type: how long such a property is, and how it is repaired.
_KINDS: dict[str, tuple[Callable[[bytes], int], Callable[[bytes], bytes]]] = {
    "shortstr": (lambda rest: 1 + rest[0], _text),
    "table": (lambda rest: 4 + int.from_bytes(rest[:4], "big"), _table),
    "timestamp": (lambda _: 8, _instant),
    "octet": (lambda _: 1, bytes),
}
