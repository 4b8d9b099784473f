"""Everyday phrases that mean nothing, though swindlers use them as well."""

import pytest

from tests.classifier.letters import codes, letter, verdict


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("Your trial expires today.", "wording_prize"),
        ("For questions, reply to this email.", "wording_advance_fee"),
        ("A reminder of the overdue payment.", "wording_advance_fee"),
    ],
)
def test_an_everyday_phrase_is_not_taken_for_a_swindle(text, wrong):
    assert wrong not in codes(letter(text))
    assert verdict(letter(text)).disposition == "none"


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("You have won the lottery, it expires today.", "wording_prize"),
        ("Your overdue contract payment from the compensation fund.", "wording_advance_fee"),
        ("A special offer that expires today.", "wording_hard_sell"),
    ],
)
def test_what_swindlers_and_sellers_need_is_still_known(text, right):
    assert right in codes(letter(text))
