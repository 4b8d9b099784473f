"""Allowed domains that send in the tenant's own name: mailing lists and services."""

from dataclasses import replace

import pytest

from services.classifier.domain.case import Case
from services.classifier.domain.circumstances import Circumstances
from services.classifier.domain.evidence.sender_lists import reasons
from services.classifier.domain.parsing import parse
from services.classifier.domain.signatures import OwnCheck
from tests.classifier.letters import OURS, letter, verdict

TRUSTED = replace(OURS, is_receiver_trusted=True)
ALLOWING = replace(TRUSTED, allowed_senders=("lists.fabrikam.example",))
CARLA = "Carla Berg <carla@northwind.example>"
LIST = (
    ("List-Id", "<devs.lists.fabrikam.example>"),
    ("List-Post", "<mailto:devs@lists.fabrikam.example>"),
)


def results(spf: str, dkim: str) -> tuple[str, str]:
    text = (
        f"spf={spf} (sender IP is 192.0.2.1) smtp.mailfrom=lists.fabrikam.example; dkim={dkim}"
        " (x) header.d=lists.fabrikam.example;dmarc=fail action=none"
        " header.from=northwind.example;compauth=fail reason=001"
    )
    return ("Authentication-Results", text)


@pytest.mark.parametrize("proof", [("pass", "fail"), ("fail", "pass")])
def test_a_colleagues_post_comes_back_from_an_allowed_list(proof):
    raw = letter(sender=CARLA, headers=(results(*proof), *LIST))

    assert verdict(raw, ALLOWING).disposition == "none"


@pytest.mark.parametrize("proof", [("pass", "fail"), ("fail", "pass")])
def test_a_list_that_is_not_allowed_spoofs_us(proof):
    raw = letter(sender=CARLA, headers=(results(*proof), *LIST))

    assert verdict(raw, TRUSTED).disposition == "spoof"
    elsewhere = replace(TRUSTED, allowed_senders=("other.example", "devs@lists.fabrikam.example"))
    assert verdict(raw, elsewhere).disposition == "spoof"


def test_an_allowed_list_that_is_not_proved_spoofs_us():
    unproved = letter(sender=CARLA, headers=(results("softfail", "fail"), *LIST))
    forged = letter(sender=CARLA, headers=(results("pass", "pass"), *LIST))
    about = replace(
        ALLOWING, is_receiver_trusted=False, envelope_sender="bounce@lists.fabrikam.example"
    )

    assert verdict(unproved, ALLOWING).disposition == "spoof"
    assert verdict(forged, about).disposition == "spoof"


def test_an_allowed_domain_excuses_no_program():
    raw = letter(
        sender=CARLA, headers=(results("pass", "pass"),), attachments=(("a.pdf.exe", b"x"),)
    )

    assert verdict(raw, ALLOWING).disposition == "malicious"


def test_a_signature_that_we_checked_proves_an_allowed_domain():
    about = Circumstances(allowed_senders=("fabrikam.example", "gmail.com"))
    mail = parse(letter(sender=CARLA))

    def found(signer: str) -> list[str]:
        return [r.code for r in reasons(Case(mail, about, own=OwnCheck(frozenset((signer,)))))]

    assert found("mail.fabrikam.example") == ["sender_allowed"]
    assert found("evil.example") == []
    assert found("gmail.com") == []  # anybody may sign with it
