"""What commands print, for people and for programs."""

import argparse
import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import SecretStr

from libs.common.contracts.mail import Disposition, KeyHeaders
from libs.common.terminal import Output, add_config_argument, add_json_argument

HOSTILE = "Invoice\x1b]0;owned\x07\r\nroot# \u202egnp.exe\x9b2J\x7f"
ROW = {"subject": HOSTILE, "mailbox": "ann@example.com", "copies": 2}


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def stdout():
    return io.StringIO()


@pytest.fixture
def stderr():
    return io.StringIO()


@pytest.fixture
def as_json(stdout, stderr):
    return Output(as_json=True, stdout=stdout, stderr=stderr)


@pytest.fixture
def as_table(stdout, stderr):
    return Output(as_json=False, stdout=stdout, stderr=stderr)


def test_json_is_one_object_a_line_in_the_order_given(as_json, stdout):
    as_json.records(({"n": number, "more": None} for number in (3, 1, 2)), ["n"])

    assert [json.loads(line) for line in stdout.getvalue().splitlines()] == [
        {"n": 3, "more": None},
        {"n": 1, "more": None},
        {"n": 2, "more": None},
    ]


def test_json_says_values_as_programs_expect_them(as_json, stdout):
    @dataclass
    class Found:
        at: datetime

    cet = timezone(timedelta(hours=1))
    as_json.record(
        {
            "at": datetime(2026, 1, 5, 10, 0, tzinfo=cet),
            "id": UUID(int=1),
            "disposition": Disposition.SPAM,
            "headers": KeyHeaders(from_="ann@example.com"),
            "found": Found(datetime(2026, 1, 5, tzinfo=UTC)),
            "names": {"b", "a"},
            "path": Path("/x"),
            "password": SecretStr("hunter2"),
            "nothing": [],
        }
    )

    assert json.loads(stdout.getvalue()) == {
        "at": "2026-01-05T09:00:00Z",
        "id": "00000000-0000-0000-0000-000000000001",
        "disposition": "spam",
        "headers": {"from": "ann@example.com", "to": None, "subject": None, "date": None},
        "found": {"at": "2026-01-05T00:00:00Z"},
        "names": ["a", "b"],
        "path": "/x",
        "password": "**********",
        "nothing": [],
    }


def test_what_is_no_number_for_json_is_a_mistake_of_ours(as_json):
    with pytest.raises(ValueError, match="JSON compliant"):
        as_json.record({"score": float("nan")})


def test_a_contract_is_printed_as_it_goes_over_the_wire(as_json, stdout):
    as_json.record(KeyHeaders(from_="ann@example.com", subject="Grüße"))

    assert json.loads(stdout.getvalue())["from"] == "ann@example.com"
    assert stdout.getvalue().isascii()


@pytest.mark.parametrize("form", ["as_json", "as_table"])
def test_mail_can_drive_no_terminal(request, stdout, stderr, form):
    output = request.getfixturevalue(form)
    output.records([ROW], ["subject", "copies"])
    output.record(ROW)
    output.text(HOSTILE)
    output.note(HOSTILE)
    with output.progress(HOSTILE) as step:
        step()

    shown = stdout.getvalue() + stderr.getvalue()
    assert not any(sign in shown for sign in "\x1b\x07\r\x9b\u202e\x7f")
    assert "gnp.exe" in shown


def test_a_table_has_its_columns_and_no_line_is_cut_in_a_pipe(as_table, stdout):
    as_table.records([ROW | {"mailbox": "a" * 200, "found_at": None}], ["found_at", "mailbox"])

    header, _, row = [line for line in stdout.getvalue().splitlines() if line.strip()]
    assert header.split() == ["found", "at", "mailbox"]
    assert row.split() == ["–", "a" * 200]


def test_a_cell_is_bounded(as_table, stdout):
    as_table.records([{"subject": "x" * 1_000_000}], ["subject"])

    assert "…(+999700)" in stdout.getvalue()


def test_markup_in_a_mail_is_text(as_table, stdout):
    as_table.records([{"subject": "[red]x[/red] :smile:"}], ["subject"])

    assert "[red]x[/red] :smile:" in stdout.getvalue()


def test_one_object_is_shown_field_by_field(as_table, stdout):
    as_table.record({"size_bytes": 5, "is_read": True, "score": 0.25, "flags": ("a", "b"), "x": {}})

    assert [line.split() for line in stdout.getvalue().splitlines()] == [
        ["size", "bytes", "5"],
        ["is", "read", "yes"],
        ["score", "0.25"],
        ["flags", "a,", "b"],
        ["x", "–"],
    ]


def test_an_empty_list_is_said_to_people_only(as_table, as_json, stdout, stderr):
    as_table.records([], ["a"], empty="no mail is held")
    as_json.records([], ["a"])

    assert stdout.getvalue() == ""
    assert stderr.getvalue() == "no mail is held\n"


def test_with_json_words_and_progress_leave_stdout_alone(as_json, stdout, stderr):
    as_json.text("3 messages")
    as_json.note("connecting")
    with as_json.progress("Delivering", total=2) as step:
        step()

    assert stdout.getvalue() == ""
    assert stderr.getvalue() == "connecting\nDelivering: 1 of 2\n"


def test_a_terminal_shows_a_bar_on_stderr(stdout):
    terminal = Terminal()
    output = Output(as_json=True, stdout=stdout, stderr=terminal)
    with output.progress("Delivering", total=2) as step:
        step()
        step()

    assert "Delivering" in terminal.getvalue()
    assert stdout.getvalue() == ""


def test_the_shared_arguments():
    parser = argparse.ArgumentParser()
    add_json_argument(parser)
    add_config_argument(parser)

    assert vars(parser.parse_args([])) == {"json": False, "config": None}
    assert vars(parser.parse_args(["--json", "--config", "x.yaml"])) == {
        "json": True,
        "config": Path("x.yaml"),
    }
