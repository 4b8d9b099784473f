"""One message as the log keeps it, and the hashes that bind it to its place."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from services.audit.domain.canonical import canonical_instant, canonical_json

#: Version of the recipe in docs/adr/0004-chain-format.md.
FORMAT = 1

SALT_SIZE_BYTES = 32

#: The chain of what belongs to no tenant that we know.
NO_TENANT = "-"


class Flag(StrEnum):
    """What is remarkable about a recorded message."""

    #: Its publisher may not send this type, or not for this tenant; `refusal` says which.
    NOT_AUTHORISED = "not_authorised"
    #: The body is not what the contract of its type demands.
    CONTRACT_VIOLATED = "contract_violated"
    #: No contract of that name is known here.
    UNKNOWN_TYPE = "unknown_type"
    #: It names a tenant that the configuration does not.
    UNKNOWN_TENANT = "unknown_tenant"
    #: Header and body name different tenants.
    TENANT_MISMATCH = "tenant_mismatch"
    #: The same publisher has used this message id before, with another body.
    CONFLICTING = "conflicting"
    #: A property held what no text column can, and was repaired.
    REPAIRED = "repaired"


class BodyKind(StrEnum):
    """How the body lies in the record."""

    #: Split by the contract's marks; the personal bytes hold the body's own hash, too.
    SPLIT = "split"
    #: Not understood, so wholly personal: the bytes as they were received.
    WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class Properties:
    """What is known of a message beside its body. All of it is hashed."""

    message_id: str
    type: str
    publisher: str
    tenant: str | None
    correlation_id: str
    causation_id: str | None
    app_id: str
    traceparent: str | None
    made_at: datetime
    recorded_at: datetime
    #: A `BodyKind`; a plain string where it was read back from the log.
    body_kind: str
    #: `Flag`s in alphabetical order.
    flags: tuple[str, ...] = ()
    #: Why the publisher may not have sent it: a constant code.
    refusal: str | None = None
    #: 1 for the first body under this (publisher, message_id), 2 … for others.
    edition: int = 1
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Mark:
    """A value by which people search."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What search knows of a message. Not part of the chain: it can be derived again."""

    section: str
    disposition: str | None = None
    outcome: str | None = None
    marks: frozenset[Mark] = frozenset()


@dataclass(frozen=True, slots=True)
class Entry:
    """A message, judged and taken apart, before it has its place in a chain."""

    chain: str
    properties: Properties
    public: bytes
    personal: bytes
    salt: bytes
    body_sha256: bytes
    facts: Facts

    @property
    def key(self) -> tuple[str, str]:
        """Return what deduplication goes by."""
        return self.properties.publisher, self.properties.message_id

    def conflicting(self, edition: int) -> "Entry":
        """Return this entry as another body under a key that is taken."""
        flags = tuple(sorted({*self.properties.flags, Flag.CONFLICTING}))
        return replace(self, properties=replace(self.properties, flags=flags, edition=edition))


@dataclass(frozen=True, slots=True)
class Link:
    """Where a record stands, and the hashes that hold it there."""

    chain: str
    number: int
    previous_hash: bytes
    personal_hash: bytes
    row_hash: bytes


@dataclass(frozen=True, slots=True)
class Hidden:
    """What may be erased of a record."""

    salt: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it was read back from the log."""

    properties: Properties
    public: bytes
    link: Link
    is_erased: bool
    #: None where it has been erased, or was not asked for.
    hidden: Hidden | None


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: the number and hash of its last record."""

    chain: str
    number: int
    row_hash: bytes


def genesis(chain: str) -> Head:
    """Return the head of a chain without records."""
    return Head(chain, 0, sha256(f"undeliver audit chain {chain}".encode()).digest())


def personal_hash(salt: bytes, personal: bytes) -> bytes:
    """Return what stays of the personal bytes for ever: without the salt it says nothing."""
    return sha256(salt + personal).digest()


def row_hash(head: Head, properties: Properties, public: bytes, hash_of_personal: bytes) -> bytes:
    """Return the hash of the record that follows `head`."""
    parts = (
        head.row_hash,
        sha256(canonical_properties(head.chain, head.number + 1, properties)).digest(),
        sha256(public).digest(),
        hash_of_personal,
    )
    return sha256(b"".join(parts)).digest()


def canonical_properties(chain: str, number: int, properties: Properties) -> bytes:
    """Return the bytes that are hashed for the properties of a record."""
    return canonical_json(describe(chain, number, properties))


def describe(chain: str, number: int, properties: Properties) -> dict[str, object]:
    """Return the properties as a JSON object: exactly these keys, in exports, too."""
    return {
        "app_id": properties.app_id,
        "body_kind": properties.body_kind,
        "causation_id": properties.causation_id,
        "chain": chain,
        "correlation_id": properties.correlation_id,
        "edition": properties.edition,
        "flags": properties.flags,
        "format": properties.format,
        "made_at": canonical_instant(properties.made_at),
        "message_id": properties.message_id,
        "number": number,
        "publisher": properties.publisher,
        "recorded_at": canonical_instant(properties.recorded_at),
        "refusal": properties.refusal,
        "tenant": properties.tenant,
        "traceparent": properties.traceparent,
        "type": properties.type,
    }
