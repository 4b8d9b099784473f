"""Messages as the recorder meets them."""

import json
from datetime import UTC, datetime
from uuid import uuid4

from libs.common.broker.port import Delivery, Message
from libs.common.broker.topology import AUDIT_EVENTS
from libs.common.contracts import Contract
from libs.common.contracts.retraction import CopySettled, RetractMail
from services.audit.domain.record import Entry
from services.audit.domain.testimony import Rules, take_down

MADE_AT = datetime(2026, 1, 5, 8, 59, 58, tzinfo=UTC)
RECORDED_AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
RETRACTION_ID = "0d8de0f2-6a4b-4a3a-9d0c-0a5f6b6f3a11"
MAILBOX = "erin@acme.example"


def refusal(publisher: str, type_: str, tenant: str | None) -> str | None:
    """Everybody may say everything, except `stranger`."""
    return "type_not_allowed" if publisher == "stranger" else None


RULES = Rules(tenants=frozenset({"acme", "globex"}), refusal=refusal)


def retract(tenant: str = "acme", **changes) -> RetractMail:
    fields = {
        "tenant": tenant,
        "retraction_id": RETRACTION_ID,
        "internet_message_id": "<one@evil.example>",
        "mailboxes": (MAILBOX,),
        "destination": "soft_delete",
        "reason": "phish seen by the SOC",
        "requested_by": "Alice@acme.example",
    }
    return RetractMail(**{**fields, **changes})


def copy_settled(tenant: str = "acme", **changes) -> CopySettled:
    fields = {
        "tenant": tenant,
        "retraction_id": RETRACTION_ID,
        "copy_id": uuid4(),
        "mailbox": MAILBOX,
        "internet_message_id": "<one@evil.example>",
        "destination": "soft_delete",
        "outcome": "moved",
        "automatic": False,
        "settled_at": MADE_AT,
    }
    return CopySettled(**{**fields, **changes})


def delivery(contract: Contract, publisher: str = "soar", **changes) -> Delivery:
    """Return a delivery of a contract; `changes` are properties of its message."""
    fields = {
        "message_id": str(uuid4()),
        "type": contract.type,
        "body": contract.body(),
        "tenant": contract.tenant,
        "correlation_id": "cause-1",
        "causation_id": None,
        "timestamp": MADE_AT,
        "app_id": "test",
    }
    return Delivery(Message(**{**fields, **changes}), publisher, AUDIT_EVENTS, 1, False, None)


def entry(of: Delivery, rules: Rules = RULES, salt: bytes = b"s" * 32) -> Entry:
    """Return the entry of a delivery, recorded at `RECORDED_AT`."""
    return take_down(of, rules, recorded_at=RECORDED_AT, salt=salt)


def altered(of: Delivery, **fields) -> bytes:
    """Return the body of a delivery with other fields."""
    return json.dumps({**json.loads(of.message.body), **fields}).encode()
