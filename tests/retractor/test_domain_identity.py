"""Which item is the message that was meant."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.retractor.domain.addresses import first_address
from services.retractor.domain.identity import is_same_mail, plain_subject, singles_out
from services.retractor.domain.mail import Fingerprint

MEANT = Fingerprint("a@evil.example", datetime(2026, 1, 5, tzinfo=UTC), "Invoice")
LATER = datetime(2026, 2, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"subject": "Other"}, True),
        ({"sent_at": LATER}, True),
        ({"sent_at": None}, True),
        ({"sent_at": MEANT.sent_at + timedelta(seconds=2), "subject": "Other"}, True),
        ({"sent_at": MEANT.sent_at + timedelta(seconds=3), "subject": "Other"}, False),
        ({"sent_at": LATER, "subject": "Other"}, False),
        ({"from_address": "b@evil.example"}, False),
        ({"from_address": None}, False),
    ],
)
def test_from_and_one_of_date_and_subject_must_agree(changes, same):
    assert is_same_mail(MEANT, replace(MEANT, **changes)) is same


def test_two_messages_without_a_from_may_be_the_same():
    nobody = replace(MEANT, from_address=None)
    assert is_same_mail(nobody, nobody)


@pytest.mark.parametrize(
    ("subject", "plain"),
    [
        ("[EXT] Invoice", "Invoice"),
        ("Re: [EXT]  Invoice", "Re: Invoice"),
        ("[EXT] [EXT] Invoice", "Invoice"),
        ("[Other] Invoice", "[Other] Invoice"),
        ("Invoice\r\n here", "Invoice here"),
        (None, ""),
    ],
)
def test_only_the_tenants_own_tags_are_taken_off(subject, plain):
    assert plain_subject(subject, ["[EXT]"]) == plain


def test_a_subject_that_was_cut_by_the_store_is_still_the_same():
    assert is_same_mail(
        replace(MEANT, subject="x" * 300, sent_at=None), replace(MEANT, subject="x" * 255)
    )


def test_one_of_several_is_singled_out_only_by_all_three():
    other = replace(MEANT, sent_at=LATER)
    assert singles_out(MEANT, [other], MEANT)
    assert not singles_out(MEANT, [other], other)
    assert not singles_out(MEANT, [MEANT], MEANT)
    assert not singles_out(MEANT, [other], replace(MEANT, subject="Changed"))


@pytest.mark.parametrize(
    ("header", "address"),
    [
        ("Ann <ANN@acme.example>", "ann@acme.example"),
        ('"boss@acme.example" <a@evil.example>', "a@evil.example"),
        ("a@evil.example, boss@acme.example", "a@evil.example"),
        ("undisclosed", None),
        ("", None),
        (None, None),
    ],
)
def test_the_first_address_of_a_header(header, address):
    assert first_address(header) == address
