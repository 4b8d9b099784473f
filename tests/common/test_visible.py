import json

import pytest

from libs.common.visible import bounded, escape_json, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Grüße, 東京 🎉", "Grüße, 東京 🎉"),
        ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        ("\x9b31mred", r"\x9b31mred"),
        ("two\r\nlines\tand\x00", r"two\r\nlines\tand\x00"),
        ("fdp\u202eexe.", r"fdp\u202eexe."),
        ("a\u2028b\ufeffc\u2066d", r"a\u2028b\ufeffc\u2066d"),
        ("half \ud83d", r"half \ud83d"),
        ("tag \U000e0041", r"tag \U000e0041"),
        ("👩\u200d🚀 می\u200cخواهم", "👩\u200d🚀 می\u200cخواهم"),
    ],
)
def test_what_is_not_shown_as_itself_is_shown_as_its_escape(text, shown):
    assert visible(text) == shown


def test_escaped_json_means_the_same():
    value = {"a": "\x7f\x9b\u202e\u2028\ufeff\U000e0041 ok ü"}

    escaped = escape_json(json.dumps(value, ensure_ascii=False))

    assert json.loads(escaped) == value
    assert visible(escaped) == escaped


def test_a_long_text_says_how_much_is_left_out():
    assert bounded("abc", 3) == "abc"
    assert bounded("abcdef", 3) == "abc…(+3)"
