"""Hostile and broken YAML."""

import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.tenants.yaml_tree import MAX_FILE_BYTES, UnreadableYaml, read_tree

#: A thousand million values in ten lines.
BOMB = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)


def refused(text):
    with pytest.raises(UnreadableYaml) as caught:
        read_tree(text if isinstance(text, bytes) else text.encode())
    return caught.value.flaw.line, caught.value.flaw.problem


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 1, "the file is empty"),
        ("# only a comment\n", 1, "the file is empty"),
        ("a: 1\nb: [", 3, "is not YAML"),
        ("a: 1\n\tb: 2", 2, "is not YAML"),
        ("a: 1\n  b: 2\n", 2, "is not YAML"),
        ("a: 1\n--- \nb: 2\n", 2, "holds a second document"),
        ("a: !!python/object/apply:os.system [id]", 1, "uses a tag"),
        ("a: 1\nb: !include x", 2, "uses a tag"),
        ("a: *nobody", 1, "*nobody: no such anchor"),
        ("a: &a [*a]", 1, "*a: no such anchor"),
        ("? [x]\n: 1", 1, "has a key that is no text"),
        ("a: \x07", 1, "is not YAML"),
        (b"a: 1\nb: \xff\n", 2, "is not UTF-8"),
        (b"\xff\xfea\x00:\x00", 1, "is not UTF-8"),
        (BOMB, 6, "holds more than 1000000 values"),
        ("[" * 100_000, 1, "is nested deeper than 24 levels"),
        ("{a: " * 100_000, 1, "is nested deeper than 24 levels"),
        ("a: " + "x" * MAX_FILE_BYTES, 1, "is larger than 16 MiB"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(text, line, problem):
    began = time.monotonic()

    found_line, found_problem = refused(text)

    assert (found_line, found_problem[: len(problem)]) == (line, problem)
    assert time.monotonic() - began < 10


def test_a_key_given_twice_is_a_flaw_with_both_lines():
    tree = read_tree(b"a: 1\nb:\n  c: 1\n  c: 2\n")

    (flaw,) = tree.flaws
    assert (flaw.line, flaw.path, flaw.problem) == (4, ("b", "c"), "given twice, first in line 3")


def test_plain_words_mean_what_the_core_schema_says():
    tree = read_tree(
        b"[null, ~, '', true, false, no, on, 1, -2, 1.5, 1e3,"
        b" 0x10, 2026-01-01, 1_0, '1', \"x\", .inf]"
    )

    assert tree.value == [
        *(None, None, "", True, False, "no", "on", 1, -2, 1.5, 1000.0),
        *("0x10", "2026-01-01", "1_0", "1", "x", ".inf"),
    ]


def test_a_byte_order_mark_and_windows_lines_are_read():
    tree = read_tree(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")

    assert tree.value == {"a": 1, "b": 2}
    assert tree.line_of(("b",)) == 2


def test_what_is_not_in_the_file_has_the_line_of_what_would_hold_it():
    tree = read_tree(b"a:\n  - b: 1\n  - c: 1\n")

    assert tree.line_of(("a", 1, "missing", "deeper")) == 3
    assert tree.line_of(("missing",)) == 1


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab:-[]{}&*!|>'\"#%@?, \n\t0~"), max_size=60))
def test_any_text_is_read_or_refused(text):
    with suppress(UnreadableYaml):
        read_tree(text.encode())
