"""The demonstration's DNS server: its own domains, and no other."""

import asyncio

import dns.asyncresolver
import dns.nameserver
import dns.rdatatype
import dns.resolver
import pytest

from services.demo.resolver import serve_dns

_LONG = "v=DKIM1; k=rsa; p=" + "MIIBIjANBgkqhkiG9w0BAQ" * 20
_RECORDS = {
    "demo._domainkey.fabrikam.example": _LONG,
    "_dmarc.fabrikam.example": "v=DMARC1; p=none",
}


@pytest.fixture
async def resolver():
    async with serve_dns(_RECORDS) as port:
        asking = dns.asyncresolver.Resolver(configure=False)
        asking.nameservers = [dns.nameserver.Do53Nameserver("127.0.0.1", port)]
        asking.lifetime = 20
        yield asking


async def test_it_answers_with_the_text_however_long(resolver):
    for name, text in _RECORDS.items():
        (record,) = await resolver.resolve(name, "TXT")

        assert b"".join(record.strings).decode() == text
        assert max(map(len, record.strings)) <= 255


async def test_names_are_found_in_upper_case_too(resolver):
    (record,) = await resolver.resolve("_DMARC.Fabrikam.Example", "TXT")

    assert record.strings == (b"v=DMARC1; p=none",)


@pytest.mark.parametrize("name", ["_dmarc.contoso.example", "fabrikam.example", "example"])
async def test_any_other_name_does_not_exist(resolver, name):
    with pytest.raises(dns.resolver.NXDOMAIN):
        await resolver.resolve(name, "TXT")


async def test_a_known_name_has_no_records_of_other_kinds(resolver):
    with pytest.raises(dns.resolver.NoAnswer):
        await resolver.resolve("_dmarc.fabrikam.example", "A")


async def test_what_is_no_query_gets_no_answer_and_does_no_harm(resolver):
    port = resolver.nameservers[0].port
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=("127.0.0.1", port)
    )
    transport.sendto(b"\x00" * 5)
    transport.sendto(b"GET / HTTP/1.1\r\n\r\n")
    transport.close()

    assert await resolver.resolve("_dmarc.fabrikam.example", "TXT")
