"""What passes between us and a parse process: lengths, then bytes; never code."""

import asyncio
import json
import struct
from dataclasses import dataclass, replace
from typing import BinaryIO

from pydantic import TypeAdapter

from libs.common.journaling.flags import Flag
from libs.common.journaling.mail import ParsedMail

#: Lengths of the domains (JSON) and of the mail; of the parsed mail (JSON) and of the original.
_REQUEST = struct.Struct(">IQ")
_ANSWER = struct.Struct(">QQ")
#: What a process says once it takes requests.
READY = b"R"
_PIECE_BYTES = 1024 * 1024
_PARSED = TypeAdapter(ParsedMail)


@dataclass(frozen=True, slots=True)
class Request:
    """One message to parse."""

    raw: bytes
    domains: frozenset[str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of it; `parsed` None: parsing raised."""

    parsed: ParsedMail | None
    #: The original where it had to be decoded.
    decoded: bytes | None


async def send_request(writer: asyncio.StreamWriter, request: Request) -> None:
    """Send a message to a process, a piece at a time: the transport copies what it is given.

    Raises:
        OSError: the process is gone.
    """
    domains = json.dumps(sorted(request.domains)).encode()
    writer.write(_REQUEST.pack(len(domains), len(request.raw)) + domains)
    for start in range(0, len(request.raw), _PIECE_BYTES):
        writer.write(request.raw[start : start + _PIECE_BYTES])
        await writer.drain()


def read_request(stream: BinaryIO) -> Request | None:
    """Take the next message; None where there will be no more."""
    head = stream.read(_REQUEST.size)
    if len(head) < _REQUEST.size:
        return None
    domains_bytes, raw_bytes = _REQUEST.unpack(head)
    domains = json.loads(stream.read(domains_bytes))
    return Request(stream.read(raw_bytes), frozenset(domains))


def write_answer(stream: BinaryIO, answer: Answer) -> None:
    """Send back what was parsed."""
    parsed = b"" if answer.parsed is None else _PARSED.dump_json(answer.parsed)
    decoded = answer.decoded or b""
    stream.write(_ANSWER.pack(len(parsed), len(decoded)))
    stream.write(parsed)
    stream.write(decoded)


async def read_answer(reader: asyncio.StreamReader) -> ParsedMail | None:
    """Take the answer; None where parsing raised.

    Raises:
        asyncio.IncompleteReadError: the process is gone.
    """
    parsed_bytes, decoded_bytes = _ANSWER.unpack(await reader.readexactly(_ANSWER.size))
    text = await reader.readexactly(parsed_bytes)
    decoded = await reader.readexactly(decoded_bytes)
    if not text:
        return None
    parsed = _PARSED.validate_json(text)
    if Flag.TRANSFER_ENCODED_ORIGINAL not in parsed.flags:
        return parsed
    return replace(parsed, original=replace(parsed.original, decoded=decoded))
