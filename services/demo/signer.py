"""DKIM signatures for the demonstration's senders (RFC 6376), under a key made for this run."""

import base64
from collections.abc import Iterable

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

_SELECTOR = "demo"
_SIGNED = [b"from", b"to", b"subject", b"date", b"message-id", b"mime-version", b"content-type"]


class Signer:
    """One key for all domains of the demonstration."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def sign(self, message: bytes, domain: str) -> bytes:
        """Return the message (CRLF lines) with the domain's DKIM-Signature on top."""
        private = self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        signature = dkim.sign(
            message,
            _SELECTOR.encode(),
            domain.encode(),
            private,
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=_SIGNED,
        )
        return bytes(signature) + message

    def records(self, domains: Iterable[str], *, own_domain: str) -> dict[str, str]:
        """Return the TXT records of the signing domains: keys, and DMARC policies (RFC 7489)."""
        public = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        key = f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"
        texts = {f"_dmarc.{own_domain}": "v=DMARC1; p=reject"}
        for domain in domains:
            texts[f"{_SELECTOR}._domainkey.{domain}"] = key
            texts[f"_dmarc.{domain}"] = "v=DMARC1; p=quarantine"
        return texts
