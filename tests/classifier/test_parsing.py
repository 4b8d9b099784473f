"""Whatever the bytes are, a message comes out, in bounded time."""

import time

import pytest

from services.classifier.domain.circumstances import Circumstances
from services.classifier.domain.evaluation import judge, questions
from services.classifier.domain.nesting import is_too_deep
from services.classifier.domain.parsing import parse

HEAD = b"From: a@fabrikam.example\r\nTo: b@northwind.example\r\nSubject: x\r\n"
HTML = HEAD + b"Content-Type: text/html\r\n\r\n"


def _nested(depth: int) -> bytes:
    levels = (
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(depth)
    )
    return HEAD + b"".join(levels) + b"\r\nhello"


HOSTILE = {
    "deep multiparts": _nested(2000),
    "deep messages": HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 2000 + b"x",
    "many parts": HEAD
    + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    + b"--b\r\n\r\nx\r\n" * 20_000,
    "many addresses": b"From: a@b.example\r\nTo: " + b"u@example.com, " * 20_000 + b"\r\n\r\nx",
    "many encoded words": b"Subject: " + b"=?utf-8?q?abc?= " * 60_000 + b"\r\n\r\nx",
    "many parameters": HEAD
    + b"Content-Type: text/plain; "
    + b"; ".join(b"a*%d*=%%41" % n for n in range(20_000))
    + b"\r\n\r\nx",
    "nested comments": b"From: " + b"(" * 5000 + b"a@b.example\r\n\r\nx",
    "broken base64": HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n" + b"!@#QUJD" * 1_000_000,
    "many received": b"Received: from x by y\r\n" * 50_000 + HEAD + b"\r\nx",
    "deep tags": HTML + b"<div>" * 400_000,
    "as deep as is read": HTML + b"<div>" * 19_000,
    "open angles": HTML + b"<" * 2_000_000,
    "one word": HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + "аa".encode() * 300_000,
    "digits": HEAD + b"\r\n" + b"1" * 1_000_000,
    "spelled out": HEAD + b"\r\n" + b"a " * 1_000_000,
    "a codec that is no charset": HEAD
    + b"Content-Type: text/plain; charset=punycode\r\n\r\nabc-"
    + b"z9" * 100_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mail_is_judged_within_two_seconds(name):
    started = time.process_time()

    questions(HOSTILE[name])
    judge(HOSTILE[name], Circumstances(is_receiver_trusted=True))

    assert time.process_time() - started < 2


@pytest.mark.parametrize("raw", [b"", b"\r\n\r\n", b"\0" * 100, _nested(2000)])
def test_mail_that_cannot_be_read_is_suspicious_and_never_retracted(raw):
    verdict = judge(raw, Circumstances())

    assert verdict.disposition == "suspicious"
    assert not verdict.retractable
    assert verdict.reasons[0].code == "parse_failure"


def test_a_message_that_nests_too_deep_is_read_by_its_headers():
    mail = parse(_nested(2000))

    assert mail.failure == "nested_too_deep"
    assert mail.author.spec == "a@fabrikam.example"


def test_many_messages_side_by_side_are_not_deep():
    part = b"--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: x@y.example\r\n\r\nhello\r\n"

    assert not is_too_deep(
        HEAD + b"Content-Type: multipart/digest; boundary=b\r\n\r\n" + part * 300
    )
    assert not is_too_deep(_nested(90))
    assert is_too_deep(_nested(150))


@pytest.mark.parametrize(
    ("raw", "name", "spec"),
    [
        (b'"Vogt, Lena" <Lena@Fabrikam.example>', "Vogt, Lena", "lena@fabrikam.example"),
        (b"lena@fabrikam.example (Lena Vogt)", "Lena Vogt", "lena@fabrikam.example"),
        (b"=?utf-8?b?TMOpbmE=?= <l@f.example>", "Léna", "l@f.example"),
        (b"Lena <>", "Lena", ""),
        (b"<l@f.example>", "", "l@f.example"),
        (b"L\xe9na <l@f.example>", "Léna", "l@f.example"),
    ],
)
def test_an_address_is_read_as_people_write_it(raw, name, spec):
    author = parse(b"From: " + raw + b"\r\n\r\nx").author

    assert (author.name, author.spec) == (name, spec)


def test_text_is_read_in_its_own_charset_or_the_likeliest():
    head = b"From: a@b.example\r\nContent-Type: text/plain"

    assert parse(head + b"; charset=iso-8859-1\r\n\r\ncaf\xe9").text == "café"
    assert parse(head + b"; charset=no-such\r\n\r\ncaf\xe9").text == "café"
    assert parse(head + b"\r\n\r\ncaf\xc3\xa9").text == "café"


def test_what_is_styled_away_is_no_text():
    html = (
        "<p>Hello</p><div style='display: none'>secret <span style='font-size:0'>words</span></div>"
    )

    mail = parse(HTML + html.encode())

    assert mail.text.split() == ["Hello"]
    assert mail.pages[0].hidden_words == 2


def test_an_attached_message_does_not_speak_for_the_one_that_carries_it():
    inner = b"From: x@y.example\r\n\r\nverify your account\r\n"
    outer = HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee below\r\n"
    raw = outer + b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + inner + b"--b--\r\n"

    assert "verify" not in parse(raw).text
