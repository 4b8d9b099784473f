"""What every parser does. Subclasses give one fixture: `parser`."""

import asyncio
from pathlib import Path

from libs.common.journaling.parsing import parse

COPY = b"From: a@x.example\r\nSubject: hello\r\n\r\nhello\r\n"
#: Cannot be parsed, each parser knows why.
IMPOSSIBLE = b"Subject: cannot-be-parsed\r\n\r\n"
CORPUS = [
    path.read_bytes()
    for path in sorted((Path(__file__).parents[1] / "corpus" / "journal").glob("*/message.eml"))
]
DOMAINS = frozenset({"contoso.example"})
ENCODED = (
    b"From: bob@contoso.example\r\nSubject: 3|x\r\n"
    b'Content-Type: multipart/mixed; boundary="q"\r\n\r\n--q\r\n'
    b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    b"RnJvbTogYUB4LmV4YW1wbGUNCg0KaGVsbG8NCg==\r\n--q--\r\n"
)


class ParserContract:
    """One parser, seen from outside."""

    async def test_mail_is_parsed_as_the_domain_says(self, parser):
        for raw in (COPY, ENCODED, b"", b"\0" * 10, bytes(range(256)) * 1000, *CORPUS):
            assert await parser.parse(raw, DOMAINS) == parse(raw, DOMAINS)

    async def test_the_tenants_domains_count(self, parser):
        kinds = [(await parser.parse(ENCODED, d)).kind for d in (DOMAINS, frozenset())]

        assert kinds == ["report", "copy"]

    async def test_an_original_that_had_to_be_decoded_comes_along(self, parser):
        parsed = await parser.parse(ENCODED, DOMAINS)

        assert parsed.original.decoded == b"From: a@x.example\r\n\r\nhello\r\n"

    async def test_what_cannot_be_parsed_is_known_by_its_bytes(self, parser):
        parsed = await parser.parse(IMPOSSIBLE, DOMAINS)

        assert (parsed.kind, parsed.flags) == ("unknown", ("parse-failed",))
        assert (parsed.original.offset, parsed.original.size_bytes) == (0, len(IMPOSSIBLE))

    async def test_after_a_failure_the_next_mail_is_parsed(self, parser):
        await parser.parse(IMPOSSIBLE, DOMAINS)

        assert (await parser.parse(COPY, DOMAINS)).kind == "copy"

    async def test_mails_are_parsed_side_by_side(self, parser):
        raws = [b"From: a@x.example\r\nSubject: %d\r\n\r\n" % n for n in range(20)]

        parsed = await asyncio.gather(*(parser.parse(raw, DOMAINS) for raw in raws))

        assert [mail.subject for mail in parsed] == [str(n) for n in range(20)]
