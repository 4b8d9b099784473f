"""A record's body as far as it is still there."""

import json
from hashlib import sha256
from typing import Any

from services.audit.domain.personal import merge
from services.audit.domain.record import BodyKind, Record


def public_part(record: Record) -> dict[str, Any] | None:
    """Return the public part of a body; None where the body was not understood.

    Bytes that somebody has tampered with are not understood either: `verify` is who says so.
    """
    try:
        part = json.loads(record.public or b"null")
    except ValueError:
        return None
    return part if isinstance(part, dict) else None


def whole_body(record: Record) -> object:
    """Return the body as it was received: a JSON value, or bytes where it was not understood.

    None where it has been erased, or was not read.
    """
    if record.hidden is None:
        return None
    if record.properties.body_kind == BodyKind.WHOLE:
        return record.hidden.content
    return merge(public_part(record), json.loads(record.hidden.content)["fields"])


def received_hash(body_kind: str, content: bytes | None) -> bytes | None:
    """Return the SHA-256 of a body's bytes as they were received; None where it is erased."""
    if content is None:
        return None
    if body_kind == BodyKind.WHOLE:
        return sha256(content).digest()
    return bytes.fromhex(json.loads(content)["body_sha256"])
