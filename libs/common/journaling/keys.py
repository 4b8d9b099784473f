"""Identities of reports and messages, as hashes that no field can be shifted within."""

import hashlib
import re

from libs.common.journaling.headers import Headers
from libs.common.journaling.mail import Envelope

#: The fields that forks of one message share; transport headers differ between forks.
_STABLE_HEADERS = ("from", "to", "date", "subject")
_BLANKS = re.compile(rb"[ \t\r\n]+")
_LONE_LF = re.compile(rb"(?<!\r)\n")
_LONE_CR = re.compile(rb"\r(?!\n)")
_CHUNK_BYTES = 1024 * 1024


def digest(purpose: str, *fields: bytes) -> str:
    """Hash fields, each with its length in front: `("ab", "c")` and `("a", "bc")` differ."""
    sha256 = hashlib.sha256()
    for value in (purpose.encode(), *fields):
        sha256.update(len(value).to_bytes(8, "big"))
        sha256.update(value)
    return sha256.hexdigest()


def content_sha256(raw: bytes, headers: Headers, body: int, end: int) -> str:
    """Hash what forks of one message share: its body, and From, To, Date and Subject.

    Received, ARC, Authentication-Results and X-MS headers differ between forks, so the rest of the
    header block stays out; line ends are made CRLF, because relays change them.
    """
    fields = [normalised_sha256(raw, body, end).encode()]
    for name in _STABLE_HEADERS:
        values = headers.all(name)
        fields.append(len(values).to_bytes(4, "big"))
        fields += [_BLANKS.sub(b" ", value) for value in values]
    return digest("content", *fields)


def normalised_sha256(raw: bytes, start: int, end: int) -> str:
    """Return the SHA-256 of `raw[start:end]` with every line end as CRLF."""
    pairs = raw.count(b"\r\n", start, end)
    if raw.count(b"\n", start, end) == pairs == raw.count(b"\r", start, end):
        return hashlib.sha256(memoryview(raw)[start:end]).hexdigest()
    sha256 = hashlib.sha256()
    while start < end:
        stop = min(start + _CHUNK_BYTES, end)
        while stop < end and raw[stop - 1] == 13:
            stop += 1  # do not part CR from the LF that may follow
        sha256.update(_LONE_LF.sub(b"\r\n", _LONE_CR.sub(b"\r\n", raw[start:stop])))
        start = stop
    return sha256.hexdigest()


def envelope_sha256(envelope: Envelope) -> str:
    """Return the hash of who sent a mail and who received it."""
    return digest(
        "envelope",
        envelope.sender.encode(),
        (envelope.on_behalf_of or "").encode(),
        *((part or "").encode() for each in envelope.recipients for part in each),
    )


def message_key(tenant: str, message_id: str | None, content: str) -> str:
    """Return the identity of a message: forks share it, another content under its id does not."""
    return digest("message", tenant.encode(), (message_id or "").encode(), content.encode())


def report_key(tenant: str, report_message_id: str | None, raw_sha256: str) -> str:
    """Return the identity of a report: a re-sent one repeats it.

    By the Message-ID that Exchange gave the report; of any other mail by the received bytes.
    """
    if report_message_id is not None:
        return digest("report", tenant.encode(), b"message-id", report_message_id.encode())
    return digest("report", tenant.encode(), b"sha256", raw_sha256.encode())
