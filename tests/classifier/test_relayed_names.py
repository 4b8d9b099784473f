"""Names of protected people: relayed by a proved sender, or borrowed by a proved swindler."""

from dataclasses import replace

import pytest

from tests.classifier.letters import OURS, codes, letter, verdict

TRUSTED = replace(OURS, is_receiver_trusted=True)
DANIEL = "dan.fischer@northwind.example"
LIST = ("List-Id", "<devs.lists.fabrikam.example>")
VIA_LIST = "Daniel Fischer via Devs <devs@lists.fabrikam.example>"


def proved(domain: str) -> tuple[str, str]:
    results = (
        f"spf=pass (sender IP is 192.0.2.1) smtp.mailfrom={domain}; dkim=pass (signature was"
        f" verified) header.d={domain};dmarc=pass action=none header.from={domain};"
        "compauth=pass reason=100"
    )
    return ("Authentication-Results", results)


def relayed(sender: str, *headers: tuple[str, str], text: str = "Please have a look.") -> bytes:
    domain = sender.rpartition("@")[2].rstrip(">")
    return letter(text, sender=sender, headers=(proved(domain), *headers))


@pytest.mark.parametrize(
    "sender",
    [
        "Daniel Fischer via DocuSign <dse@docusign.net>",
        "Daniel Fischer via DocuSign <dse_na4@eumail.docusign.net>",
        '"Daniel Fischer (via Google Docs)" <drive-shares-dm-noreply@google.com>',
        '"Daniel Fischer (Jira)" <jira@northwind.atlassian.net>',
        "Daniel Fischer <notifications@github.com>",
        "Daniel Fischer <no-reply@zoom.us>",
        f'"{DANIEL} (via Google Docs)" <drive-shares-dm-noreply@google.com>',
    ],
)
def test_a_known_service_may_write_in_a_protected_persons_name(sender):
    found = verdict(relayed(sender), TRUSTED)

    assert found.disposition == "none"
    assert "name_through_service" in {reason.code for reason in found.reasons}


def test_a_sender_whose_answers_go_to_the_person_may_write_in_their_name():
    raw = relayed("Daniel Fischer <noreply@fabrikam.example>", ("Reply-To", DANIEL))

    assert verdict(raw, TRUSTED).disposition == "none"
    assert "name_relayed" in codes(raw, TRUSTED)


@pytest.mark.parametrize("answer", [(), (("Reply-To", "devs@lists.fabrikam.example"),)])
@pytest.mark.parametrize("sender", [VIA_LIST, f'"{DANIEL} via Devs" <devs@lists.fabrikam.example>'])
def test_a_list_that_rewrites_from_is_no_spoof(sender, answer):
    raw = relayed(sender, LIST, *answer)

    assert verdict(raw, TRUSTED).disposition == "bulk"


@pytest.mark.parametrize(
    ("sender", "headers"),
    [
        ("Daniel Fischer <d.fischer@gmail.com>", ()),
        ("Daniel Fischer via Devs <d.fischer@gmail.com>", (LIST, ("Reply-To", DANIEL))),
        ("Daniel Fischer <ceo@evil.example>", ()),
        ("Daniel Fischer <ceo@evil.example>", (LIST,)),
        ("Daniel Fischer via Phone <ceo@evil.example>", ()),
        ("Daniel Fischer <ceo@evil.example>", (("Reply-To", f"{DANIEL}, x@evil.example"),)),
        (VIA_LIST, (LIST, ("Reply-To", "ceo.fischer@gmail.com"))),
        ("Daniel Fischer <dse@docusign.net.evil.example>", ()),
        ("Daniel Fischer <dse@notdocusign.net>", ()),
    ],
)
def test_a_proved_stranger_who_borrows_the_name_is_a_spoof(sender, headers):
    assert verdict(relayed(sender, *headers), TRUSTED).disposition == "spoof"


@pytest.mark.parametrize(
    ("sender", "headers"),
    [
        ("Daniel Fischer via DocuSign <dse@docusign.net>", ()),
        (VIA_LIST, (LIST,)),
        ("Daniel Fischer <x@fabrikam.example>", (("Reply-To", DANIEL),)),
    ],
)
def test_without_proof_nobody_may_write_in_the_name(sender, headers):
    guessed = ("Authentication-Results", "spf=none; dkim=none; dmarc=none;compauth=pass reason=130")
    forged = proved(sender.rpartition("@")[2].rstrip(">"))

    assert verdict(letter(sender=sender, headers=headers), TRUSTED).disposition == "spoof"
    assert verdict(letter(sender=sender, headers=(guessed, *headers)), TRUSTED).disposition == (
        "spoof"
    )
    assert verdict(letter(sender=sender, headers=(forged, *headers)), OURS).disposition == "spoof"


@pytest.mark.parametrize(
    "text",
    [
        "Please verify your account at the portal.",
        "We have new bank details, pay the outstanding invoice there.",
        "Buy gift cards for the team and send me the codes.",
        "Are you at your desk? I need a quick favor.",
    ],
)
@pytest.mark.parametrize(
    ("sender", "headers"),
    [
        (VIA_LIST, (LIST,)),
        ("Daniel Fischer <ceo@evil.example>", (("Reply-To", DANIEL),)),
    ],
)
def test_what_swindlers_ask_for_is_a_spoof_however_well_relayed(sender, headers, text):
    found = verdict(relayed(sender, *headers, text=text), TRUSTED)

    assert (found.disposition, found.attributes) == ("spoof", ("bec",))


def test_a_change_of_bank_details_through_a_service_is_a_spoof():
    raw = relayed(
        "Daniel Fischer via DocuSign <dse@docusign.net>", text="Sign: new bank details attached."
    )

    assert verdict(raw, TRUSTED).disposition == "spoof"


def test_the_name_in_sender_is_not_excused_by_the_proof_of_from():
    sender = ("Sender", "Daniel Fischer <x@evil.example>")
    raw = relayed("News <news@fabrikam.example>", sender, ("Reply-To", DANIEL))

    assert verdict(raw, TRUSTED).disposition == "spoof"
