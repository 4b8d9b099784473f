"""Who sent it, whose word counts, and who only says so."""

from dataclasses import replace

import pytest

from services.classifier.domain.circumstances import Circumstances
from services.classifier.domain.evaluation import questions
from tests.classifier.letters import OURS, codes, letter, verdict

TRUSTED = replace(OURS, is_receiver_trusted=True)
OWN = "Accounts <accounts@northwind.example>"
FAILED_RESULTS = (
    "spf=fail (sender IP is 192.0.2.1) smtp.mailfrom=x.example; dkim=none header.d=none;"
    "dmarc=fail action=oreject header.from=northwind.example;compauth=fail reason=000"
)
FAILED = ("Authentication-Results", FAILED_RESULTS)
PASSED_RESULTS = (
    "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=fabrikam.example; dkim=pass (signature was"
    " verified) header.d=fabrikam.example;dmarc=pass action=none"
    " header.from=fabrikam.example;compauth=pass reason=100"
)
PASSED = ("Authentication-Results", PASSED_RESULTS)
INTERNAL = ("X-MS-Exchange-Organization-AuthAs", "Internal")


def report(text: str) -> tuple[str, str]:
    return ("X-Forefront-Antispam-Report", f"CIP:192.0.2.1;CTRY:;LANG:en;{text}DIR:INB;")


def test_our_own_name_from_outside_without_proof_is_a_spoof():
    found = verdict(letter(sender=OWN, headers=(FAILED,)), TRUSTED)

    assert found.disposition == "spoof"
    assert found.reasons[0].code == "own_domain_spoofed"


def test_our_own_mail_from_inside_is_none():
    assert verdict(letter(sender=OWN, headers=(INTERNAL,)), TRUSTED).disposition == "none"


def test_a_foreign_domain_that_asked_for_rejection_is_a_spoof():
    raw = letter(
        headers=(("Authentication-Results", FAILED_RESULTS.replace("northwind", "fabrikam")),)
    )

    assert verdict(raw, TRUSTED).disposition == "spoof"


@pytest.mark.parametrize(
    ("text", "disposition"),
    [
        ("SCL:9;SFV:SPM;CAT:HPHSH;", "malicious"),
        ("SCL:5;SFV:SPM;CAT:MALW;", "malicious"),
        ("SCL:5;SFV:SPM;CAT:SPM;", "spam"),
        ("SCL:6;SFV:SPM;", "spam"),
        ("SCL:1;SFV:NSPM;CAT:NONE;", "none"),
        ("SCL:-1;SFV:SKN;", "none"),
    ],
)
def test_what_exchange_online_found_counts_in_its_own_report(text, disposition):
    raw = letter(headers=(PASSED, report(text)))

    assert verdict(raw, TRUSTED).disposition == disposition
    assert verdict(raw, OURS).disposition == "none"  # anybody may have written it


def test_headers_of_the_receiver_are_believed_only_in_its_own_report():
    forged = letter(sender=OWN, headers=(PASSED, INTERNAL))
    about = replace(OURS, envelope_sender="x@hosting.example")

    assert verdict(forged, about).reasons[0].code == "own_domain_foreign_sender"
    assert verdict(forged, about).disposition == "spoof"


def test_a_second_forged_header_below_changes_nothing():
    raw = letter(sender=OWN, headers=(FAILED, PASSED, ("X-MS-Exchange-Organization-AuthAs",
                                                       "Anonymous"), INTERNAL))  # fmt: skip

    assert verdict(raw, TRUSTED).disposition == "spoof"


def test_a_greeting_name_cannot_hide_the_category():
    raw = letter(headers=(PASSED, report("SCL:1;H:x;CAT:NONE;PTR:y;CAT:PHSH;")))

    assert verdict(raw, TRUSTED).disposition == "malicious"


@pytest.mark.parametrize(
    "sender",
    [
        "Daniel Fischer <ceo.office@freemail.example>",
        '"Fischer, Daniel" <x@freemail.example>',
        "Dаniel Fіscher <x@freemail.example>",  # Cyrillic letters
        "DANIEL  FISCHER (CEO) <x@freemail.example>",
        '"dan.fischer@northwind.example" <x@freemail.example>',
        "IT Support <help@n0rthwind.example>",
        "IT Support <help@mail.northvvind.example>",
        "IT Support <help@nоrthwind.example>",
    ],
)
def test_a_borrowed_name_is_a_spoof(sender):
    assert verdict(letter(sender=sender)).disposition == "spoof"


@pytest.mark.parametrize(
    "sender",
    [
        "Daniel Fischer <dan.fischer@northwind.example>",
        "Daniel Berg <daniel@fabrikam.example>",
        "Dana Fischer <dana@fabrikam.example>",
        "Support <help@southwind.example>",
    ],
)
def test_a_name_of_ones_own_is_none(sender):
    assert verdict(letter(sender=sender)).disposition == "none"


def test_without_a_tenant_nobody_is_protected():
    raw = letter(sender="Daniel Fischer <x@freemail.example>")

    assert verdict(raw, Circumstances()).disposition == "none"


def test_a_blocked_sender_is_malicious_by_the_custom_list():
    about = replace(OURS, blocked_senders=("fabrikam.example",))

    found = verdict(letter(sender="x@mail.fabrikam.example"), about)

    assert (found.disposition, found.attributes) == ("malicious", ("custom_block_list",))
    assert verdict(letter(sender="x@notfabrikam.example"), about).disposition == "none"


class TestAllowedSenders:
    about = replace(TRUSTED, allowed_senders=("lena.vogt@fabrikam.example",))
    spam = report("SCL:6;CAT:SPM;")

    def test_is_spared_when_proved(self):
        assert verdict(letter(headers=(PASSED, self.spam)), self.about).disposition == "none"

    def test_is_not_spared_when_unproved(self):
        raw = letter(headers=(self.spam,))

        assert verdict(raw, self.about).disposition == "spam"
        assert "allowed_sender_unproved" in codes(raw, self.about)

    def test_is_not_spared_by_a_forged_proof(self):
        raw = letter("You have won. Claim your prize! Lucky winner, casino, free spins, jackpot.",
                     headers=(PASSED,))  # fmt: skip

        assert verdict(raw, replace(self.about, is_receiver_trusted=False)).disposition == "spam"

    def test_is_not_spared_with_a_program(self):
        raw = letter(headers=(PASSED,), attachments=(("a.pdf.exe", b"x"),))

        assert verdict(raw, self.about).disposition == "malicious"

    def test_is_not_spared_among_several_authors(self):
        raw = letter(sender="lena.vogt@fabrikam.example, x@evil.example",
                     headers=(PASSED, self.spam))  # fmt: skip

        assert verdict(raw, self.about).disposition == "spam"


def test_the_dns_is_asked_for_keys_and_policies():
    signature = "v=1; a=rsa-sha256; d=Fabrikam.example; s=s1; h=from; bh=x; b=y"
    raw = letter(sender="x@mail.fabrikam.example", headers=(("DKIM-Signature", signature),))

    assert questions(raw) == (
        "s1._domainkey.fabrikam.example",
        "_dmarc.mail.fabrikam.example",
        "_dmarc.fabrikam.example",
    )


def test_names_that_are_none_are_not_asked_for():
    raw = letter(sender="x@localhost", headers=(("DKIM-Signature", "d=../..; s=a b; h=from"),))

    assert questions(raw) == ()
