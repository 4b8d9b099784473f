"""Certificates made to measure, as files, and what a client trusts them with."""

import ssl
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from libs.common.clock import SystemClock
from services.ingest.adapters.smtp import CertificateFiles, ServerCertificate, Tls

NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mx.undeliver.example")])


def new_key(kind="ec"):
    if kind == "ec":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(key, expires_at=None):
    """Return a certificate that its own key has signed."""
    expires_at = expires_at or datetime.now(UTC) + timedelta(days=30)
    return (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(expires_at - timedelta(days=90))
        .not_valid_after(expires_at)
        .sign(key, hashes.SHA256())
    )


def pem(key, password=None):
    """Return a key as it stands in a file."""
    protection = serialization.NoEncryption()
    if password:
        protection = serialization.BestAvailableEncryption(password)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection
    )


def write_pair(folder, kind="ec", expires_at=None):
    """Write a new pair into a folder; return its files, and the certificate as clients get it."""
    key = new_key(kind)
    made = certificate(key, expires_at)
    files = CertificateFiles(folder / "tls.crt", folder / "tls.key")
    files.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(pem(key))
    return files, made.public_bytes(serialization.Encoding.DER)


def offered(folder, kind="ec", *, is_required=False):
    """Return what a listener with a new pair offers."""
    files, _ = write_pair(folder, kind)
    return Tls(ServerCertificate(files, SystemClock()), is_required=is_required)


def trusting(**changes):
    """Return the context of a client that takes any certificate, as most senders of mail do."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for name, value in changes.items():
        setattr(context, name, value)
    return context
