"""Mailings of proved senders who offer a way out: bulk, unless they do more than advertise."""

from dataclasses import replace

import pytest

from tests.classifier.letters import OURS, codes, letter, verdict

TRUSTED = replace(OURS, is_receiver_trusted=True)
WAY_OUT = ("List-Unsubscribe", "<https://fabrikam.example/out>")
SURVEY = (
    "<p>Take our survey: answer a few questions for the chance to win a gift card worth 50 euros."
    '</p><a href="https://clicks.mailer.example/s">To the survey</a>'
)


def proved(domain: str) -> tuple[str, str]:
    results = (
        f"spf=pass smtp.mailfrom={domain}; dkim=pass header.d={domain};"
        f"dmarc=pass action=none header.from={domain};compauth=pass reason=100"
    )
    return ("Authentication-Results", results)


PROVED = proved("fabrikam.example")


def test_a_survey_of_a_proved_sender_is_bulk():
    assert verdict(letter(html=SURVEY, headers=(PROVED, WAY_OUT)), TRUSTED).disposition == "bulk"


@pytest.mark.parametrize("headers", [(), (PROVED,), (WAY_OUT,)])
def test_a_survey_without_proof_or_way_out_is_spam(headers):
    assert verdict(letter(html=SURVEY, headers=headers), TRUSTED).disposition == "spam"


def test_a_proof_that_nobody_vouches_for_changes_nothing():
    assert verdict(letter(html=SURVEY, headers=(PROVED, WAY_OUT)), OURS).disposition == "spam"


def test_a_survey_by_free_mail_is_spam():
    raw = letter(
        html=SURVEY, sender="Lena <lena@gmail.com>", headers=(proved("gmail.com"), WAY_OUT)
    )

    assert verdict(raw, TRUSTED).disposition == "spam"


@pytest.mark.parametrize(
    "text",
    [
        "You have won! Lottery: you are a winner, claim your prize. Free gift, your reward.",
        "Viagra and Cialis! Herbal weight loss, order now, free shipping.",
        "Casino, free spins, jackpot. You have won, claim your prize, lucky winner.",
    ],
)
def test_what_does_more_than_advertise_is_spam_whoever_proves_it(text):
    assert verdict(letter(text, headers=(PROVED, WAY_OUT)), TRUSTED).disposition == "spam"


def test_what_exchange_online_calls_spam_stays_spam():
    report = ("X-Forefront-Antispam-Report", "CIP:192.0.2.1;SCL:6;CAT:SPM;")
    raw = letter(html=SURVEY, headers=(PROVED, WAY_OUT, report))

    assert "proved_mailing" in codes(raw, TRUSTED)
    assert verdict(raw, TRUSTED).disposition == "spam"


def test_a_lure_in_a_proved_mailing_is_as_grave_as_ever():
    lure = "<p>Your account has been suspended, verify your account.</p>" + SURVEY.replace(
        "https://clicks.mailer.example/s", "http://198.51.100.7/"
    )

    assert verdict(letter(html=lure, headers=(PROVED, WAY_OUT)), TRUSTED).disposition in {
        "suspicious",
        "malicious",
    }
