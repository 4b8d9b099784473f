"""VBA source out of an OLE stream ([MS-OVBA] §2.4.1), bounded."""

MAX_SOURCE_BYTES = 262_144
#: Every module's source begins with an attribute line; the container starts three bytes before.
_START = b"\x00Attribut\x00e "
_SIGNATURE = 0x01
_CHUNK_BYTES = 4096


def sources(stream: bytes) -> bytes:
    """Return the source of the module in a stream, or nothing."""
    place = stream.find(_START)
    if place < 3 or stream[place - 3] != _SIGNATURE:
        return b""
    return _decompressed(stream, place - 2)


def _decompressed(stream: bytes, place: int) -> bytes:
    out = bytearray()
    while place + 2 <= len(stream) and len(out) < MAX_SOURCE_BYTES:
        header = int.from_bytes(stream[place : place + 2], "little")
        end = min(len(stream), place + (header & 0x0FFF) + 3)
        if header & 0x8000:
            _expand(stream, place + 2, end, out)
        else:
            out += stream[place + 2 : place + 2 + _CHUNK_BYTES]
        place = end
    return bytes(out)


def _expand(stream: bytes, place: int, end: int, out: bytearray) -> None:
    """Append one compressed chunk: flag bytes, each before eight literals or copies."""
    start = len(out)
    while place < end:
        flags = stream[place]
        place += 1
        for bit in range(8):
            if place >= end:
                return
            if not flags >> bit & 1:
                out.append(stream[place])
                place += 1
                continue
            token = int.from_bytes(stream[place : place + 2], "little")
            place += 2
            if not _copy(token, start, out):
                return


def _copy(token: int, start: int, out: bytearray) -> bool:
    bits = max(4, (len(out) - start - 1).bit_length())
    length = (token & (0xFFFF >> bits)) + 3
    offset = (token >> (16 - bits)) + 1
    if offset > len(out) - start or bits > 12:
        return False
    for _ in range(length):
        out.append(out[-offset])
    return True
