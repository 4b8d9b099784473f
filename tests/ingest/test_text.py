"""Header values as people read them, whatever was written."""

import warnings

import pytest

from libs.common.journaling.text import base64_decoded, decoded, header_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?q?R=C3=A9sum=C3=A9?=", "Résumé"),
        (b"=?UTF-8?B?UsOpc3Vtw6k=?= and more", "Résumé and more"),
        (b"=?iso-8859-1?q?R=E9sum=E9_x?=", "Résumé x"),
        (b"=?utf-8?b?UsM=?= =?utf-8?b?qXN1bQ==?=", "Résum"),
        (b"=?utf-8?q?a?= =?iso-8859-1?q?=E9?=", "aé"),
        (b"=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
        (b"a =?utf-8?q?b?=", "a b"),
        (b"=?utf-8*en?q?a?=", "a"),
        (b"=?no-such-charset?q?=41?=", "A"),
        (b"=?unicode_escape?q?=5Cx?=", "\\x"),
        (b"=?idna?q?xn--a?=", "xn--a"),
        (b"=?utf-8?b?!!!?=", ""),
        (b"=?utf-8?x?a?=", "=?utf-8?x?a?="),
        ("größer".encode(), "größer"),
        (b"gr\xf6\xdfer", "größer"),
        (b"bell\x07 and\x00nul", "bell\ufffd and\ufffdnul"),
        (b"folded\r\n here", "folded here"),
    ],
)
def test_a_header_value_is_decoded(value, text):
    with warnings.catch_warnings(record=True) as caught:
        assert header_text(value) == text
    assert caught == []


@pytest.mark.parametrize(
    "charset", [None, "", "utf-8", "us-ascii", "zip", "base64", "x" * 200, "ü"]
)
def test_any_octets_are_some_text(charset):
    assert decoded(bytes(range(128, 256)), charset)


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"aGVsbG8=", b"hello"),
        (b"aGVs\r\nbG8=\r\n", b"hello"),
        (b"aGVsbG8", b"hel"),
        (b"aGVsbG8h!!", b"hello!"),
        (b"", b""),
        (b"=", b""),
    ],
)
def test_base64_is_decoded_as_far_as_it_goes(octets, expected):
    assert base64_decoded(octets) == expected
