"""`undeliver demo --json`: one run, looked at from all sides."""

import email
import email.policy
import json
from collections import defaultdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.programs import Ended, Programs, environment, processes_about

pytestmark = pytest.mark.timeout(240)

_MAIL = files("services.demo.mail")
_DISPOSITIONS = {"malicious", "suspicious", "spoof", "spam", "bulk", "none"}
_DESTINATIONS = {"none", "junk", "trash", "soft_delete", "hard_delete", "original"}
_OUTCOMES = {"moved", "already_there", "absent", "refused", "failed", "restored", "untouched"}
_FOLDERS = {
    "junk": "junkemail",
    "trash": "deleteditems",
    "soft_delete": "recoverableitemsdeletions",
    "hard_delete": "recoverableitemspurges",
}
_WITHIN_SIGHT = {"inbox", "sentitems"}

Row = dict[str, Any]


@pytest.fixture(scope="module")
def temporary(place: Path) -> Path:
    """Give the folder that the demonstration takes for the system's."""
    folder = place / "tmp"
    folder.mkdir(mode=0o711)
    return folder


@pytest.fixture(scope="module")
def ended(programs: Programs, temporary: Path) -> Ended:
    program = programs.start("demo", "--json", env=environment(TMPDIR=str(temporary)))
    return program.wait(200)


@pytest.fixture(scope="module")
def shown(ended: Ended) -> dict[str, Any]:
    assert ended.code == 0, ended.err
    return ended.record


@pytest.fixture(scope="module")
def copies(shown: dict[str, Any]) -> list[Row]:
    return shown["copies"]


@pytest.fixture(scope="module")
def expected() -> dict[str, str]:
    """Give what each message of the demonstration is."""
    return yaml.safe_load((_MAIL / "expected.yaml").read_text(encoding="utf-8"))


def _id_of(name: str) -> str:
    raw = (_MAIL / f"{name}.eml").read_bytes()
    return str(email.message_from_bytes(raw, policy=email.policy.default)["Message-ID"])


def _rows_of(copies: list[Row], name: str) -> list[Row]:
    found = [row for row in copies if row["internet_message_id"] == _id_of(name)]
    assert found
    return found


def _answers(copies: list[Row], expected: dict[str, str]) -> list[Row]:
    """Return the copies of what colleagues wrote about one of the messages."""
    sent = {_id_of(name) for name in expected}
    return [row for row in copies if row["internet_message_id"] not in sent]


def _is_within_sight(row: Row) -> bool:
    return row["folder_after"] in _WITHIN_SIGHT


def test_stdout_holds_one_json_object_and_nothing_else(ended):
    assert ended.code == 0
    assert ended.out == json.dumps(json.loads(ended.out)) + "\n"


def test_it_says_what_scripts_rely_on(shown, copies):
    assert set(shown) >= {
        "messages",
        "by_disposition",
        "copies",
        "restored",
        "audit_events",
        "audit_verified",
    }
    assert shown["by_disposition"].keys() == _DISPOSITIONS
    assert sum(shown["by_disposition"].values()) == shown["messages"]
    assert all(
        row.keys()
        >= {
            "mailbox",
            "internet_message_id",
            "disposition",
            "destination",
            "outcome",
            "reason",
            "folder_before",
            "folder_after",
            "seconds_to_removal",
        }
        for row in copies
    )


def test_every_copy_is_described_in_the_fixed_words(copies):
    folders = _WITHIN_SIGHT | set(_FOLDERS.values())
    for row in copies:
        assert row["disposition"] in _DISPOSITIONS
        assert row["destination"] in _DESTINATIONS
        assert row["outcome"] in _OUTCOMES
        assert {row["folder_before"], row["folder_after"]} <= folders
        assert row["reason"] is None or isinstance(row["reason"], str)


def test_every_message_gets_the_disposition_that_its_author_meant(copies, expected):
    meant = defaultdict(set)
    for name, disposition in expected.items():
        meant[_id_of(name)].add(disposition)

    shown = defaultdict(set)
    for row in copies:
        shown[row["internet_message_id"]].add(row["disposition"])

    assert {each: shown[each] for each in meant} == meant


def test_it_counts_the_mail_and_what_colleagues_wrote_about_it(shown, copies, expected):
    answers = {row["internet_message_id"] for row in _answers(copies, expected)}

    assert len(answers) == 3
    assert shown["messages"] == len(expected) + len(answers)
    for disposition in _DISPOSITIONS - {"none"}:
        assert shown["by_disposition"][disposition] == list(expected.values()).count(disposition)


def test_what_policy_takes_back_is_where_policy_puts_it(copies, expected):
    policy = {"malicious": "soft_delete", "spoof": "junk", "suspicious": "junk", "spam": "junk"}
    of_malicious_only = set(expected) - {"02-harbour-offer"}
    for name in of_malicious_only:
        for row in _rows_of(copies, name):
            if row["disposition"] in policy and row["outcome"] not in {"restored", "refused"}:
                assert row["destination"] == policy[row["disposition"]]
                assert row["folder_after"] == _FOLDERS[row["destination"]]


def test_good_mail_that_nobody_asked_for_stays(copies, expected):
    asked_for = {"30-survey", "31-conference", "02-harbour-offer"}
    for name, disposition in expected.items():
        if disposition in {"bulk", "none"} and name not in asked_for:
            assert all(_is_within_sight(row) for row in _rows_of(copies, name))
            assert {row["outcome"] for row in _rows_of(copies, name)} == {"untouched"}


def test_all_five_destinations_show(copies):
    arrived = {row["destination"] for row in copies if row["outcome"] in {"moved", "restored"}}

    assert arrived == {"junk", "trash", "soft_delete", "hard_delete", "original"}


def test_a_borrowed_message_id_takes_no_good_mail_along(copies):
    (bad,) = [r for r in _rows_of(copies, "29-borrowed-message-id") if r["disposition"] != "none"]
    (good,) = [r for r in _rows_of(copies, "02-harbour-offer") if r["disposition"] == "none"]

    assert good["mailbox"] == bad["mailbox"]
    assert bad["folder_after"] == "recoverableitemsdeletions"
    assert good["folder_after"] == "inbox"
    assert good["outcome"] in {"untouched", "refused"}
    assert good["seconds_to_removal"] is None


def test_the_protected_mailbox_keeps_its_copy_and_says_why(copies):
    kept = [row for row in copies if row["mailbox"].startswith("soc@")]

    assert kept
    assert all(_is_within_sight(row) for row in kept)
    assert {(row["outcome"], row["reason"]) for row in kept} == {("refused", "protected_mailbox")}


def test_what_colleagues_wrote_about_a_phish_goes_with_it(copies, expected):
    answers = [r for r in _answers(copies, expected) if not r["mailbox"].startswith("soc@")]

    assert {row["folder_before"] for row in answers} == {"inbox", "sentitems"}
    assert {row["outcome"] for row in answers} == {"moved"}
    assert {row["folder_after"] for row in answers} == {"recoverableitemsdeletions"}


def test_one_message_is_back_where_it_was(shown, copies):
    restored = [row for row in copies if row["outcome"] == "restored"]

    assert shown["restored"] == len(restored) == 1
    assert restored[0]["folder_after"] == restored[0]["folder_before"] == "inbox"


def test_the_record_holds_and_tells_of_every_step(shown, copies):
    moves = sum(row["outcome"] in {"moved", "restored"} for row in copies)

    assert shown["audit_verified"] is True
    assert shown["audit_events"] > 2 * shown["messages"] + moves


def test_progress_goes_to_stderr(ended):
    assert "delivered" in ended.err
    assert "Traceback" not in ended.err


def test_nothing_is_left_behind(ended, temporary):
    assert list(temporary.iterdir()) == []
    assert processes_about(temporary) == {}
