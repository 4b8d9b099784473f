"""From a delivery to an entry: whose chain it belongs to, what is wrong with it, what is personal.

Total by design: whatever a publisher sends has an entry, since a message that escapes the record
would be the attacker's first choice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from libs.common.broker.decoding import decode
from libs.common.broker.port import Delivery, Message
from libs.common.contracts import CONTRACTS
from libs.common.errors import PoisonError
from services.audit.domain.canonical import canonical_json, faithful_json
from services.audit.domain.facts import OTHER, facts_of, section_of
from services.audit.domain.personal import shape_of, split
from services.audit.domain.record import NO_TENANT, BodyKind, Entry, Facts, Flag, Properties

#: AMQP 0-9-1 short strings end here, so nothing honest is longer.
_MAX_PROPERTY_CHARACTERS = 255

#: What consumers call poison → how the record calls it; all else violates the contract.
_VIOLATIONS = {
    "unknown_type": Flag.UNKNOWN_TYPE,
    "tenant_mismatch": Flag.TENANT_MISMATCH,
}

#: (publisher, type, tenant) → why this may not be, or None.
Refusal = Callable[[str, str, str | None], str | None]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration in force says about messages."""

    tenants: frozenset[str]
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class _Body:
    kind: BodyKind
    public: bytes
    personal: bytes
    facts: Facts
    flag: Flag | None = None


def take_down(delivery: Delivery, rules: Rules, *, recorded_at: datetime, salt: bytes) -> Entry:
    """Return the entry of a delivery."""
    message = delivery.message
    body_sha256 = sha256(message.body)
    body = _read(message, body_sha256.hexdigest())
    refusal = rules.refusal(delivery.publisher, message.type, message.tenant)
    is_known = message.tenant in rules.tenants
    flags = {flag for flag in (body.flag,) if flag}
    if refusal:
        flags.add(Flag.NOT_AUTHORISED)
    if message.tenant is not None and not is_known:
        flags.add(Flag.UNKNOWN_TENANT)
    is_own = is_known and body.flag is not Flag.TENANT_MISMATCH
    return Entry(
        chain=message.tenant if is_own and message.tenant else NO_TENANT,
        properties=_properties(delivery, body.kind, flags, refusal, recorded_at),
        public=body.public,
        personal=body.personal,
        salt=salt,
        body_sha256=body_sha256.digest(),
        facts=body.facts,
    )


def _read(message: Message, body_sha256: str) -> _Body:
    try:
        decode(message, CONTRACTS)
        parsed = faithful_json(message.body)
        if not isinstance(parsed, dict):
            return _whole(message, Flag.CONTRACT_VIOLATED)
        return _split(message.type, parsed, body_sha256)
    except PoisonError as error:
        return _whole(message, _VIOLATIONS.get(error.reason, Flag.CONTRACT_VIOLATED))
    except (ValueError, RecursionError):
        # It obeys its contract, but splitting would change it; so it stays whole, and personal.
        return _whole(message, Flag.CONTRACT_VIOLATED)


def _split(type_: str, body: dict[str, Any], body_sha256: str) -> _Body:
    public, personal = split(body, shape_of(type_))
    # The body's hash goes with what may be erased: unsalted, it would let anybody who guesses the
    # personal fields prove the guess.
    hidden = {"body_sha256": body_sha256, "fields": personal}
    return _Body(
        BodyKind.SPLIT,
        canonical_json(public),
        canonical_json(hidden),
        facts_of(type_, body, public),
    )


def _whole(message: Message, flag: Flag) -> _Body:
    section = OTHER if flag is Flag.UNKNOWN_TYPE else section_of(message.type)
    return _Body(BodyKind.WHOLE, b"", message.body, Facts(section), flag)


def _properties(
    delivery: Delivery,
    kind: BodyKind,
    flags: set[Flag],
    refusal: str | None,
    recorded_at: datetime,
) -> Properties:
    message = delivery.message
    required = (
        message.message_id,
        message.type,
        delivery.publisher,
        message.correlation_id,
        message.app_id,
    )
    optional = (message.tenant, message.causation_id, message.traceparent)
    made_at = _repaired_instant(message.timestamp, recorded_at)
    message_id, type_, publisher, correlation_id, app_id = map(_repaired, required)
    tenant, causation_id, traceparent = (text and _repaired(text) for text in optional)
    if (
        (message_id, type_, publisher, correlation_id, app_id) != required
        or (tenant, causation_id, traceparent) != optional
        or made_at != message.timestamp
    ):
        flags.add(Flag.REPAIRED)
    return Properties(
        message_id=message_id,
        type=type_,
        publisher=publisher,
        tenant=tenant,
        correlation_id=correlation_id,
        causation_id=causation_id,
        app_id=app_id,
        traceparent=traceparent,
        made_at=made_at,
        recorded_at=recorded_at,
        body_kind=kind,
        flags=tuple(sorted(flags)),
        refusal=refusal,
    )


def _repaired(text: str) -> str:
    """Return text that UTF-8 and Postgres can hold."""
    if text.isascii() and text.isprintable() and len(text) <= _MAX_PROPERTY_CHARACTERS:
        return text
    whole = text.encode(errors="replace").decode().replace("\0", "\ufffd")
    return whole[:_MAX_PROPERTY_CHARACTERS]


def _repaired_instant(at: datetime, otherwise: datetime) -> datetime:
    """Return the instant in UTC; `otherwise` where the calendar of UTC does not hold it."""
    try:
        return at.astimezone(UTC)
    except OverflowError:
        return otherwise
