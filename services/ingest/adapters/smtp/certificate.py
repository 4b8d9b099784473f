"""The certificate that the listener shows, from files that are replaced while it runs.

cert-manager and Kubernetes swap both files at once by a symbolic link; others write one after the
other. So it is the contents that are compared, and a pair that does not work is not taken.
"""

import asyncio
import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from libs.common.clock import Clock
from libs.common.errors import ConfigurationError
from services.ingest import metrics

CERTIFICATE_SETTING = "INGEST_TLS_CERTIFICATE"
KEY_SETTING = "INGEST_TLS_KEY"

#: Kubernetes takes a minute to bring a changed secret; certificates are renewed weeks early.
_LOOK_SECONDS = 30.0
#: Forward secrecy and no SHA-1. The blocks that are not GCM are what Windows Server 2012 R2 offers.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!aNULL:!eNULL:!aDSS:!SHA1:!AESCCM"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Where the pair is: PEM, the server's certificate first and its chain behind it."""

    certificate: Path
    key: Path

    @classmethod
    def named(
        cls, mode: str, certificate: Path | None, key: Path | None
    ) -> "CertificateFiles | None":
        """Return what the settings name; None where STARTTLS is `off`.

        Raises:
            ConfigurationError: STARTTLS is to be offered, and a file is not named.
        """
        if mode == "off":
            if certificate is not None or key is not None:
                _log.warning("smtp_certificate_not_used", remedy="set INGEST_TLS=optional")
            return None
        missing = CERTIFICATE_SETTING if certificate is None else KEY_SETTING
        if certificate is None or key is None:
            raise ConfigurationError(
                f"{missing}: is not set, and INGEST_TLS={mode} needs it; name a PEM file"
            )
        return cls(certificate, key)


@dataclass(frozen=True, slots=True)
class _Loaded:
    context: ssl.SSLContext
    contents: tuple[bytes, bytes]
    expires_at: datetime


class ServerCertificate:
    """The pair in use; those who connect from now on get the newest that worked."""

    def __init__(self, files: CertificateFiles, clock: Clock) -> None:
        """Load the pair.

        Raises:
            ConfigurationError: names the file that cannot be used, its setting and the remedy.
        """
        self._files = files
        self._clock = clock
        self._failure = ""
        self._has_expired = False
        self._take(_load(files))

    @property
    def context(self) -> ssl.SSLContext:
        """What a new TLS session is made with."""
        return self._loaded.context

    async def watch(self) -> None:
        """Look at the files every half minute until cancelled."""
        while True:
            await self._clock.sleep(_LOOK_SECONDS)
            await self.refresh()

    async def refresh(self) -> None:
        """Take what the files hold if it is new; a pair that does not work changes nothing."""
        self._check_expiry()
        try:
            loaded = await asyncio.to_thread(_load, self._files, self._loaded)
        except ConfigurationError as error:
            if str(error) != self._failure:
                metrics.CERTIFICATE_LOADS.labels("failed").inc()
                _log.error("smtp_certificate_not_replaced", problem=str(error))
            self._failure = str(error)
            return
        self._failure = ""
        if loaded is not self._loaded:
            self._take(loaded)

    def _take(self, loaded: _Loaded) -> None:
        self._loaded = loaded
        self._has_expired = False
        metrics.CERTIFICATE_LOADS.labels("loaded").inc()
        metrics.CERTIFICATE_EXPIRY.set(loaded.expires_at.timestamp())
        _log.info("smtp_certificate_loaded", expires_at=loaded.expires_at.isoformat())
        self._check_expiry()

    def _check_expiry(self) -> None:
        """Say so once, and go on: few senders look, and to the others no mail is worse."""
        expires_at = self._loaded.expires_at
        if not self._has_expired and expires_at <= self._clock.now():
            self._has_expired = True
            _log.error("smtp_certificate_expired", expires_at=expires_at.isoformat())


def check_pair(files: CertificateFiles) -> None:
    """Return if the pair can be used.

    Raises:
        ConfigurationError: see `ServerCertificate`.
    """
    _load(files)


def _load(files: CertificateFiles, known: _Loaded | None = None) -> _Loaded:
    """Return what the files hold; `known` itself if they still hold that."""
    contents = (
        _read(files.certificate, CERTIFICATE_SETTING, "the certificate and its chain"),
        _read(files.key, KEY_SETTING, "the private key"),
    )
    if known is not None and known.contents == contents:
        return known
    certificate = _certificate(contents[0], files)
    _check_key(contents[1], certificate, files)
    return _Loaded(_context(files), contents, certificate.not_valid_after_utc)


def _read(path: Path, setting: str, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{setting}: {path} cannot be read: {error.strerror}; name a PEM file with {what} that "
            "this user may read"
        ) from error


def _certificate(pem: bytes, files: CertificateFiles) -> x509.Certificate:
    try:
        certificate = x509.load_pem_x509_certificates(pem)[0]
        certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigurationError(
            f"{CERTIFICATE_SETTING}: {files.certificate} holds no certificate in PEM, or not one "
            "for a key that is known here; write the server's certificate first, and its chain "
            "behind it"
        ) from None
    return certificate


def _check_key(pem: bytes, certificate: x509.Certificate, files: CertificateFiles) -> None:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError:  # OpenSSL itself would ask for the passphrase on the terminal
        raise ConfigurationError(
            f"{KEY_SETTING}: {files.key} is encrypted; write the key without a passphrase, "
            "readable by this user alone"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigurationError(
            f"{KEY_SETTING}: {files.key} holds no private key in PEM; write the key of "
            f"{files.certificate}"
        ) from None
    if key.public_key() != certificate.public_key():
        raise ConfigurationError(
            f"{KEY_SETTING}: {files.key} is not the key of {files.certificate} "
            f"({CERTIFICATE_SETTING}); name two files that belong together"
        )


def _context(files: CertificateFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(_CIPHERS)
    try:
        context.load_cert_chain(files.certificate, files.key)
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or error.strerror or "refused"
        raise ConfigurationError(
            f"{CERTIFICATE_SETTING}: {files.certificate} cannot be used with {files.key} "
            f"({KEY_SETTING}): {reason}; name a certificate and a key that OpenSSL takes"
        ) from error
    return context
