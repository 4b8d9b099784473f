"""Files that people give us: reports are unwrapped, and no wrapper makes a message look better."""

from dataclasses import replace
from pathlib import Path

import pytest

from libs.common.journaling.parsing import as_carried, parse
from services.classifier.domain.circumstances import Circumstances
from services.classifier.domain.evaluation import judge
from services.classifier.domain.files import judge_file
from tests.classifier.letters import OURS, letter, report, submitted

CASES = sorted((Path(__file__).parents[1] / "corpus" / "journal").glob("*/message.eml"))
BAD = letter(attachments=(("a.exe", b"x"),))
PHISH = letter(
    "Your account is suspended. Verify your account and your password here.",
    html='<p>Your account is suspended. Verify your password now:</p>'
    '<a href="http://login@203.0.113.9/x">https://www.fabrikam.example/login</a>',
)  # fmt: skip


def same_as_its_original(raw: bytes) -> bool:
    """Say whether a report and the original cut out of it get the same disposition."""
    carried = as_carried(raw)
    place = parse(carried).original
    cut = place.decoded or carried[place.offset : place.offset + place.size_bytes]
    return judge_file(raw, Circumstances()).disposition == judge(cut, Circumstances()).disposition


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.parent.name)
def test_a_report_is_what_its_original_is(case):
    assert same_as_its_original(case.read_bytes())


@pytest.mark.reference
def test_a_real_report_is_what_its_original_is(reference_folder):
    files = sorted((reference_folder / "samples" / "journal").rglob("*.eml"))
    assert len(files) >= 5
    assert [file.name for file in files if not same_as_its_original(file.read_bytes())] == []


@pytest.mark.parametrize("wrap", [report, submitted])
@pytest.mark.parametrize("original", [BAD, PHISH, letter()], ids=["program", "phish", "clean"])
def test_what_is_inside_is_judged_as_if_it_came_alone(wrap, original):
    assert judge_file(wrap(original), OURS) == judge(original, OURS)
    assert judge(PHISH, OURS).disposition == "malicious"


def test_a_file_with_text_line_ends_is_judged_as_smtp_would_carry_it():
    assert judge_file(report(PHISH).replace(b"\r\n", b"\n"), OURS) == judge(PHISH, OURS)


def test_the_reverse_path_of_the_report_shows_a_forged_own_sender():
    forged = letter(sender="Ben <ben@northwind.example>")

    assert judge_file(forged, OURS).disposition == "none"
    assert judge_file(report(forged), OURS).disposition == "spoof"
    assert judge_file(report(forged, sender="ben@northwind.example"), OURS).disposition == "none"


def test_microsofts_word_in_a_report_counts_against_the_message():
    stamped = letter(headers=(("X-Forefront-Antispam-Report", "SCL:9;CAT:HPHSH;"),))

    assert judge_file(report(stamped), OURS).disposition == "malicious"
    assert judge_file(stamped, OURS).disposition == "none"
    assert judge_file(submitted(stamped), OURS).disposition == "none"


def test_a_forged_report_cannot_excuse_the_message_inside():
    excused = (
        ("X-MS-Exchange-Organization-AuthAs", "Internal"),
        ("Authentication-Results", "spf=pass dkim=pass dmarc=pass compauth=pass"),
    )
    forged = letter(sender="Daniel Fischer <x@freemail.example>", headers=excused)
    trusting = replace(OURS, is_receiver_trusted=True)

    assert judge_file(report(forged), OURS).disposition == "spoof"
    assert judge_file(report(forged), trusting).disposition == "none"


@pytest.mark.parametrize("wrap", [report, submitted])
def test_a_wrapper_that_holds_the_phish_itself_does_not_hide_it(wrap):
    lure = ("X-Note: Your account is suspended. Verify your account and your password:\r\n"
            "X-Link: http://login@203.0.113.9/x")  # fmt: skip
    html = f"\r\n--b1\r\n{PHISH[PHISH.find(b'Content-Type: text/html') :].decode()}"

    found = judge_file(wrap(letter(), text=lure + html.replace("b1", _boundary(wrap))), OURS)

    assert found.disposition == "malicious"
    assert "around_the_original" in {reason.code for reason in found.reasons}


def test_a_program_beside_the_original_is_found():
    beside = b'\r\n--b1\r\nContent-Type: x/y; name="a.exe"\r\n\r\nMZ\r\n--b1--\r\n'
    raw = report(letter()).replace(b"\r\n--b1--\r\n", beside)

    assert judge_file(raw, OURS).disposition == "malicious"


def _boundary(wrap) -> str:
    return "b1" if wrap is report else "b2"
