"""Senders who hide: borrowed brands, letters and digits that mean nothing."""

import pytest

from services.classifier.domain.circumstances import Circumstances
from tests.classifier.letters import OURS, codes, letter, verdict


@pytest.mark.parametrize(
    "sender",
    [
        "Ledger <noreply@canoes.example>",
        "Netflix Support <a@fabrikam.example>",
        '"PayPal: Security Team" <a@fabrikam.example>',
        "Lеdgеr <a@fabrikam.example>",
        "Trust Wallet <support@trust-wallet-help.example>",
        "support netflix <a@netflix.fabrikam.example>",
    ],
)
def test_a_brand_as_name_of_a_stranger_is_a_reason(sender):
    assert "brand_as_name" in codes(letter(sender=sender))


@pytest.mark.parametrize(
    "sender",
    [
        "Netflix <info@members.netflix.com>",
        "Amazon <shipping@amazon.co.jp>",
        "Instagram <security@facebookmail.com>",
        "Apple Vacations <info@applevacations.example>",
        "Chase Miller <chase@fabrikam.example>",
        "Lena Ledger <lena@fabrikam.example>",
        "Amazon <it@northwind.example>",
        "<a@fabrikam.example>",
    ],
)
def test_a_brands_own_mail_and_people_who_are_called_so_are_not(sender):
    assert "brand_as_name" not in codes(letter(sender=sender))


def test_a_lure_in_a_brands_name_is_suspicious():
    text = "Your wallet was suspended. Verify your account and restore access: see below."

    assert verdict(letter(text, sender="Ledger <a@canoes.example>")).disposition == "suspicious"
    assert verdict(letter(text)).disposition == "none"


@pytest.mark.parametrize(
    ("subject", "is_padded"),
    [
        ("Fire your boss                26583", True),
        ("Please answer          LYPMFXTWMJ", True),
        ("Minutes of the meeting    part 2", False),
        ("Invoice 26583", False),
        ("Order                  today", False),
    ],
)
def test_what_a_subject_hides_behind_blanks_is_a_reason(subject, is_padded):
    assert ("padded_subject" in codes(letter(subject=subject))) is is_padded


@pytest.mark.parametrize(
    ("text", "is_random"),
    [
        ("See you soon yplylslvxrhawhvasqxfrkxnalqshzvzojk", True),
        ("Rechtschreibprüfung, Angstschweiß, Selbstversorgungsstrategien", False),
        ("https://fabrikam.example/kludlkaiplcqcnnaigaybaxhesrhltsp is the link", False),
        ("bezwzględnych przedsiębiorstw wszechstronnych", False),
        ("Knightsbridge and internationalisation, straightforwardly", False),
    ],
)
def test_a_word_that_nobody_can_say_is_a_reason(text, is_random):
    assert ("random_words" in codes(letter(text))) is is_random


def test_a_domain_of_letters_and_digits_by_chance_is_a_reason():
    assert "sender_random_domain" in codes(letter(sender="A <a@hd8g42jmuq33.example>"))
    assert "sender_random_domain" not in codes(letter(sender="A <a@mail24.web2print.example>"))


def test_selling_from_hiding_is_spam_though_it_offers_a_way_out():
    text = "Click here for a special offer. Unsubscribe below. Order now, this is not spam."
    hidden = letter(text, subject="Fire your boss                26583")

    assert verdict(hidden, Circumstances()).disposition == "spam"
    assert verdict(letter(text), OURS).disposition == "bulk"
