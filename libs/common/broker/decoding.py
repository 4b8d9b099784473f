"""From a delivery to the contract that it carries."""

from collections.abc import Collection

from pydantic import ValidationError

from libs.common.broker.port import Message
from libs.common.broker.topology import MAX_BODY_BYTES
from libs.common.contracts import CONTRACTS, TENANTLESS, Contract
from libs.common.errors import PoisonError

#: AMQP 0-9-1 short strings end here. An empty one would be everybody's.
MAX_MESSAGE_ID = 255


def decode(message: Message, expected: Collection[str]) -> Contract:
    """Return a message's body as its contract.

    The cause of the error is left out: it quotes the body.

    Raises:
        PoisonError: `unknown_type` (no contract, or not one of the `expected` types),
            `misrouted` (sent by another routing key than its type), `bad_message_id`,
            `message_too_large`, `not_json`, `contract_violated`, `tenant_missing`,
            `tenant_mismatch` (header and body differ).
    """
    contract_class = CONTRACTS.get(message.type)
    if contract_class is None or message.type not in expected:
        raise PoisonError("unknown_type")
    if message.is_misrouted:
        raise PoisonError("misrouted")
    if not (0 < len(message.message_id) <= MAX_MESSAGE_ID and message.message_id.isprintable()):
        raise PoisonError("bad_message_id")
    if len(message.body) > MAX_BODY_BYTES:
        raise PoisonError("message_too_large")
    reason = ""
    try:
        contract = contract_class.model_validate_json(message.body)
    except ValidationError as error:
        reason = _reason(error)
    if reason:
        raise PoisonError(reason)
    if contract.tenant is None and message.type not in TENANTLESS:
        raise PoisonError("tenant_missing")
    if contract.tenant != message.tenant:
        raise PoisonError("tenant_mismatch")
    return contract


def _reason(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return "not_json" if first["type"] == "json_invalid" else "contract_violated"
