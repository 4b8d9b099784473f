"""Assertions in place of a secret: signed with a registered certificate, or by a trusted issuer."""

from dataclasses import dataclass

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate
from jwt.types import Options

from libs.graph_simulator.world.directory import Application

_ALGORITHMS = ["RS256", "PS256"]
_LONGEST = 16_384


@dataclass(frozen=True, slots=True)
class _Trusted:
    """Who may sign, and what the assertion must then say."""

    pem: bytes
    audience: str
    issuer: str
    subject: str


def is_proved(application: Application, assertion: str, endpoint: str, now: float) -> bool:
    """Whether a certificate or issuer of the application signed it, for here and now (RFC 7523)."""
    if len(assertion) > _LONGEST:
        return False
    return any(_holds(assertion, trusted, now) for trusted in _trusted(application, endpoint))


def _trusted(application: Application, endpoint: str) -> list[_Trusted]:
    own = application.client_id
    certificates = [
        _Trusted(pem.encode("ascii"), endpoint, own, own) for pem in application.certificates_pem
    ]
    federated = [
        _Trusted(one.public_key_pem.encode("ascii"), one.audience, one.issuer, one.subject)
        for one in application.federated
    ]
    return certificates + federated


def _holds(assertion: str, trusted: _Trusted, now: float) -> bool:
    options: Options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    try:
        claims = jwt.decode(
            assertion,
            _key(trusted.pem),
            algorithms=_ALGORITHMS,
            audience=trusted.audience,
            issuer=trusted.issuer,
            options=options,
        )
    except (jwt.PyJWTError, ValueError, TypeError):
        return False
    expires = claims.get("exp", 0)
    is_alive = isinstance(expires, int | float) and expires > now
    return is_alive and claims.get("sub") == trusted.subject


def _key(pem: bytes) -> RSAPublicKey:
    is_certificate = b"BEGIN CERTIFICATE" in pem
    key = (
        load_pem_x509_certificate(pem).public_key() if is_certificate else load_pem_public_key(pem)
    )
    if not isinstance(key, RSAPublicKey):
        raise TypeError("assertions are signed with RSA keys")
    return key
