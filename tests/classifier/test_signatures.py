"""DKIM, verified with answers that were found beforehand."""

import base64
from dataclasses import replace

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.classifier.letters import OURS, codes, letter, verdict

KEY_NAME = "s1._domainkey.northwind.example"
POLICY = {"_dmarc.northwind.example": ("v=DMARC1; p=reject",)}
OWN = "Accounts <accounts@northwind.example>"


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def records(key):
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return {KEY_NAME: (f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}",), **POLICY}


@pytest.fixture
def signed(key):
    raw = letter(sender=OWN)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    names = [b"from", b"to", b"subject", b"date", b"message-id"]
    return dkim.sign(raw, b"s1", b"northwind.example", private, include_headers=names) + raw


def from_outside(records):
    return replace(OURS, envelope_sender="x@hosting.example", records=records)


def test_a_good_signature_proves_the_sender(signed, records):
    about = from_outside(records)

    assert verdict(signed, about).disposition == "none"
    assert codes(signed, about) == {"signature_good"}


def test_an_altered_message_is_not_proved(signed, records):
    altered = signed.replace(b"at ten", b"at six")

    assert verdict(altered, from_outside(records)).disposition == "spoof"


def test_a_key_that_surely_does_not_exist_proves_nothing(signed):
    assert verdict(signed, from_outside({KEY_NAME: (), **POLICY})).disposition == "spoof"


def test_no_answer_is_no_evidence(signed):
    altered = signed.replace(b"at ten", b"at six")

    assert verdict(signed, from_outside({})).disposition == "none"
    assert verdict(altered, from_outside({})).disposition == "none"


def test_a_signature_of_somebody_else_proves_nothing(signed, records):
    foreign = signed.replace(b"From: Accounts <accounts@northwind", b"From: A <a@fabrikam")

    assert "signature_good" not in codes(foreign, from_outside(records))


NO_KEYS = ("", "v=DKIM1; p=", "v=DKIM1; p=!!!", "\0\xff", "v=DKIM1; k=ed25519; p=AA", "p" * 4000)
NO_SIGNATURES = (
    "v=1",
    "b=" + "A" * 50_000,
    "v=1; a=x; d=northwind.example; s=s1",
    "v=1; a=rsa-sha256; d=northwind.example; s=s1; l=x; h=; bh=; b=",
)


@pytest.mark.parametrize("record", NO_KEYS)
def test_a_key_that_is_none_fails_the_signature_and_nothing_else(signed, record):
    found = verdict(signed, from_outside({KEY_NAME: (record,), **POLICY}))

    assert found.disposition == "spoof"
    assert found.retractable


@pytest.mark.parametrize("header", NO_SIGNATURES)
def test_a_signature_that_is_none_is_judged_all_the_same(header, records):
    raw = letter(sender=OWN, headers=(("DKIM-Signature", header),))

    assert verdict(raw, from_outside(records)).retractable
