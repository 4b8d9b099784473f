"""How reasons become a disposition, and what a sender cannot change about it."""

from itertools import pairwise, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.contracts.mail import Disposition
from services.classifier.domain.combinations import COMBINATIONS
from services.classifier.domain.explanation import lines
from services.classifier.domain.reasons import Reason, quote
from services.classifier.domain.verdict import decide, worse
from services.classifier.domain.weights import WEIGHTS
from tests.classifier.letters import OURS, letter, verdict

ORDER = ["none", "bulk", "spam", "suspicious", "spoof", "malicious"]
PILLS = "Viagra and Cialis without a doctor! Herbal weight loss, order now, free shipping. "
LURE = (
    "<p>Your account has been suspended, verify your account now.</p>"
    '<a href="http://198.51.100.7/">https://www.bank.example/</a>'
)
#: What takes points away: each needs a proof.
EXCUSES = {"sender_allowed", "proved_mailing"}
#: What senders write to look harmless.
DISGUISES = (
    ("List-Unsubscribe", "<https://fabrikam.example/out>"),
    ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    ("List-Id", "<news.fabrikam.example>"),
    ("Precedence", "bulk"),
    ("Feedback-ID", "1:2:3:fabrikam"),
    ("Authentication-Results", "mx.northwind.example; spf=pass; dkim=pass; dmarc=pass"),
    ("Authentication-Results", "spf=pass; dkim=pass; dmarc=pass action=none; compauth=pass"),
    ("X-Forefront-Antispam-Report", "SCL:-1;SFV:SKI;CAT:NONE;"),
    ("X-MS-Exchange-Organization-AuthAs", "Internal"),
    ("X-MS-Exchange-Organization-SCL", "-1"),
    ("In-Reply-To", "<1@northwind.example>"),
    ("X-Spam-Status", "No"),
)


@pytest.mark.parametrize("header", DISGUISES)
@pytest.mark.parametrize(
    "mail",
    [
        {"text": PILLS},
        {"html": LURE},
        {"attachments": (("a.exe", b"x"),)},
        {"sender": "Daniel Fischer <x@freemail.example>"},
    ],
)
def test_no_header_that_a_sender_writes_makes_a_verdict_milder(mail, header):
    plain, disguised = verdict(letter(**mail)), verdict(letter(**mail, headers=(header,)))

    assert disguised.disposition == plain.disposition != "none"
    assert disguised.score >= plain.score
    assert disguised.retractable


def test_marks_of_a_mailing_make_bulk_and_never_more():
    raw = letter("To unsubscribe click the link.", headers=DISGUISES[:5])

    assert verdict(raw).disposition == "bulk"
    assert verdict(raw).score == 0


def test_what_could_not_be_read_ranks_with_the_suspicious_not_with_the_harmless():
    unread = decide((Reason("parse_failed", ""),), failure="parse_failed")
    harmless = verdict(letter("To unsubscribe click the link."))

    assert (unread.disposition, unread.retractable) == ("suspicious", False)
    assert unread.score > 0.4 > harmless.score


def test_words_alone_are_never_malicious():
    codes = [code for code in WEIGHTS if code.startswith("wording_")]

    assert decide(tuple(Reason(code, "") for code in codes)).disposition == "suspicious"


def test_advertising_is_spam():
    assert verdict(letter(PILLS)).disposition == "spam"


def test_the_order_of_reasons_does_not_matter():
    reasons = [Reason(c, "") for c in ("link_to_ip", "wording_wallet", "macro", "sender_allowed")]
    verdicts = {decide(tuple(some)) for some in permutations(reasons)}

    assert len({(v.disposition, v.score, v.attributes) for v in verdicts}) == 1


@given(st.sets(st.sampled_from(sorted(set(WEIGHTS) - EXCUSES)), max_size=12))
@settings(max_examples=200, deadline=None)
def test_one_more_reason_never_makes_it_milder(codes):
    reasons = tuple(Reason(code, "") for code in sorted(codes))
    whole = decide(reasons)

    for left_out in range(len(reasons)):
        fewer = decide(reasons[:left_out] + reasons[left_out + 1 :])
        assert ORDER.index(fewer.disposition) <= ORDER.index(whole.disposition)
        assert fewer.score <= whole.score
    assert 0 <= whole.score <= 1


def test_mail_that_was_not_read_is_suspicious_unless_it_is_malicious():
    assert decide((), failure="x").disposition == "suspicious"
    assert not decide((), failure="x").retractable
    blocked = decide((Reason("sender_blocked", ""),), failure="x")
    assert (blocked.disposition, blocked.retractable) == ("malicious", True)


def test_an_allowed_sender_does_not_excuse_mail_that_was_not_read():
    assert decide((Reason("sender_allowed", ""),), failure="x").disposition == "suspicious"


def test_the_graver_of_two_verdicts_is_kept():
    verdicts = [decide(()), decide((Reason("opt_out_text", ""),)), decide((), failure="x"),
                decide((Reason("sender_blocked", ""),))]  # fmt: skip

    for milder, graver in pairwise(verdicts):
        assert worse(milder, graver) == worse(graver, milder) == graver


def test_every_combination_is_made_of_known_reasons():
    for both in COMBINATIONS:
        assert both.code in WEIGHTS
        assert both.one_of | both.and_one_of <= WEIGHTS.keys()


def test_every_disposition_has_its_place_in_the_order():
    assert set(ORDER) == set(Disposition)


def test_a_quotation_is_one_short_printable_line():
    assert quote("a\r\n\x1b[31mb\u202e" + "c" * 500).startswith("“a [31mb c")
    assert len(quote("c" * 500)) <= 122


def test_an_explanation_shows_what_each_reason_counts():
    text = "\n".join(lines(verdict(letter(html=LURE), OURS)))

    assert "malicious, score 0.9" in text
    assert "link_to_ip (harm 1.5, nuisance 1.2)" in text
    assert "malicious from 5" in text
