"""Whatever the bytes are, parsing answers, in bounds and in time."""

import base64
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.journaling.parsing import parse
from tests.ingest.reports import BOUNDARY, envelope, original, report

CORPUS = Path(__file__).parents[1] / "corpus" / "journal"
SAMPLES = [path.read_bytes() for path in sorted(CORPUS.glob("*/message.eml"))]
MIB = 1024 * 1024
#: The same examples in every run: a red one is red for everybody.
FIXED = settings(deadline=None, derandomize=True, database=None)


def check(raw: bytes) -> None:
    """Assert what holds for every answer."""
    mail = parse(raw)
    place = mail.original
    if place.decoded is None:
        assert 0 <= place.offset <= place.offset + place.size_bytes <= len(raw)
    else:
        assert 0 <= place.offset <= len(raw)
        assert len(place.decoded) == place.size_bytes
    texts = [mail.envelope.sender, mail.subject or "", mail.message_id or ""]
    texts += [part or "" for each in mail.envelope.recipients for part in each]
    assert all("\0" not in text for text in texts)
    assert "".join(texts).encode() is not None  # no lone surrogates
    assert parse(raw, frozenset({"contoso.example"})).kind in {mail.kind, "copy", "unknown"}


@settings(FIXED, max_examples=150)
@given(st.binary(max_size=2000))
def test_any_bytes_are_answered(raw):
    check(raw)


@settings(FIXED, max_examples=150)
@given(
    st.lists(
        st.sampled_from(
            [
                b"X-MS-Journal-Report:\r\n",
                b"Content-Type: multipart/mixed; boundary=b\r\n",
                b"\r\n",
                b"\n",
                b"--b\r\n",
                b"--b--\r\n",
                b"Content-Type: message/rfc822\r\n",
                b"Content-Type: text/plain\r\n",
                b"Sender: a@x.example\r\n",
                b"Recipient: b@x.example\r\n",
                b'To: ,;<>"[]()\r\n',
                b"From: a\r\n",
                b"Content-Transfer-Encoding: base64\r\n",
                b"Content-Transfer-Encoding: quoted-printable\r\n",
                b"=?utf-8?b?gA==?= =?utf-8?q?=ff?=",
                b"\xff\0",
                b" ",
                b"\t",
                b"Recipients:\r\n",
                b"--b",
                b"Message-ID: <x@journal.report.generator>\r\n",
                b"Content-Type: multipart/report; boundary=b\r\n",
            ]
        )
    ).map(b"".join)
)
def test_any_pieces_of_reports_are_answered(raw):
    check(raw)


@settings(FIXED, max_examples=200)
@given(st.data())
def test_any_damage_to_a_report_is_answered(data):
    raw = data.draw(st.sampled_from(SAMPLES))
    start = data.draw(st.integers(0, len(raw)))
    stop = data.draw(st.integers(start, min(len(raw), start + 400)))
    check(raw[:start] + data.draw(st.binary(max_size=40)) + raw[stop:])


def multipart(parts: bytes) -> bytes:
    return b"From: a@x.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + parts


#: What hostile mail is made of; each is about as slow as it can be for its size.
BOMBS = {
    "parts": multipart(b"--b\r\n" * 400_000),
    "parts that say what they are": multipart(
        b"--b\r\nContent-Type: message/rfc822\r\n\r\n" * 60_000
    ),
    "parts in a report": report(more_parts=[b"Content-Type: text/plain\r\n\r\n"] * 20_000),
    "delimiters in a report": report(original((b"--" + BOUNDARY + b"\r\n") * 40_000)),
    "unfinished delimiters": report(original((b"\n--" + BOUNDARY[:-1]) * 40_000)),
    "closing delimiters": report(original((b"--" + BOUNDARY + b"--\r\n") * 40_000)),
    "header fields": b"a:\r\n" * 500_000,
    "one header": b"Subject: " + b" =?utf-8?q?=" * 170_000,
    "folded header": b"Subject: x\r\n" + b" y\r\n" * 500_000,
    "encoded words": b"Subject: " + b"=?utf-8?q?x?= " * 140_000 + b"\r\n\r\n",
    "no blank line": b"From: a@x.example\r\n" + b"x" * 2 * MIB,
    "carriage returns": b"From: a@x.example\r\n\r\n" + b"\r" * 2 * MIB,
    "commas": report(text=envelope("To: " + "," * 2 * MIB)),
    "names without addresses": report(text=envelope("To: " + "a," * MIB)),
    "quotes": report(text=envelope('To: "' + '\\"' * MIB)),
    "angles": report(text=envelope("To: " + "<" * 2 * MIB)),
    "brackets": report(text=envelope("To: " + "[" * MIB + "]" * MIB)),
    "parentheses": report(text=envelope("To: " + "(" * 2 * MIB)),
    "address list": b"From: a@x.example\r\nTo: " + b'"a\\' * 700_000 + b"\r\n\r\n",
    "blank lines of text": report(text=envelope("\r\n" * MIB)),
    "unknown fields": report(text=envelope(*(f"F{n}: x" for n in range(200_000)))),
    "parameters": b"Content-Type: multipart/mixed" + b"; a=b" * 400_000 + b"\r\n\r\n",
    "boundary of blanks": b'Content-Type: multipart/mixed; boundary="' + b" " * MIB + b'"\r\n\r\n',
    "base64 text": report().replace(b"8bit", b"base64", 1)[:-200] + base64.b64encode(b"x" * MIB),
    "references": b"From: a@x.example\r\nReferences: " + b"<a@b> " * 340_000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("name", BOMBS)
def test_no_two_megabytes_take_long(name):
    started = time.process_time()
    check(BOMBS[name])

    assert time.process_time() - started < 4.0  # twice parsed; a fraction of this when alone


def test_depth_costs_nothing():
    nested = original()
    for _ in range(200):
        nested = multipart(
            b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + nested + b"\r\n--b--\r\n"
        )

    check(report(nested))
    assert parse(report(nested)).kind == "journal"
