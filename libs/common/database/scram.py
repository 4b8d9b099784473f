"""Passwords as Postgres keeps them, so that none travels or is logged in the clear."""

import base64
import hashlib
import hmac
import secrets

_ITERATIONS = 4096
_SALT_SIZE_BYTES = 16


def scram_verifier(password: str, salt: bytes | None = None) -> str:
    """Return what `alter role … password` takes in place of a password of ASCII characters.

    RFC 5803; PostgreSQL, pg_authid. Every call salts anew.
    """
    salt = secrets.token_bytes(_SALT_SIZE_BYTES) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _ITERATIONS)
    stored_key = hashlib.sha256(_keyed(salted, b"Client Key")).digest()
    server_key = _keyed(salted, b"Server Key")
    keys = f"{_base64(stored_key)}:{_base64(server_key)}"
    return f"SCRAM-SHA-256${_ITERATIONS}:{_base64(salt)}${keys}"


def _keyed(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
