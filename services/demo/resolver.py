"""A DNS server on loopback that knows the demonstration's domains and no other."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

#: A TXT string holds at most 255 bytes (RFC 1035 §3.3.14).
_TXT_STRING_BYTES = 255


@asynccontextmanager
async def serve_dns(texts: Mapping[str, str]) -> AsyncIterator[int]:
    """Serve TXT records over UDP and yield the port; any other name does not exist."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Zone(texts), local_addr=("127.0.0.1", 0)
    )
    try:
        yield int(transport.get_extra_info("sockname")[1])
    finally:
        transport.close()


class _Zone(asyncio.DatagramProtocol):
    """Answers queries from a table."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = {dns.name.from_text(name): text for name, text in texts.items()}
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, packet: bytes, peer: tuple[str, int]) -> None:
        try:
            query = dns.message.from_wire(packet)
        except dns.exception.DNSException:
            return  # not a query: a server says nothing
        if self._transport is not None:
            self._transport.sendto(self._answer(query).to_wire(), peer)

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA
        for question in query.question:
            text = self._texts.get(question.name)
            if text is None:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            elif question.rdtype == dns.rdatatype.TXT:
                answer.answer.append(_txt(question.name, text))
        return answer


def _txt(name: dns.name.Name, text: str) -> dns.rrset.RRset:
    strings = [
        text[start : start + _TXT_STRING_BYTES] for start in range(0, len(text), _TXT_STRING_BYTES)
    ]
    quoted = " ".join(f'"{string}"' for string in strings)
    return dns.rrset.from_text(name, 300, dns.rdataclass.IN, dns.rdatatype.TXT, quoted)
