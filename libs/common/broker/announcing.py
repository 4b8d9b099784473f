"""Says to everybody that a delivery was given up on."""

import structlog

from libs.common.broker.port import DeadLetter, Delivery
from libs.common.broker.publishing import Publish
from libs.common.broker.verdicts import Verdict
from libs.common.clock import Clock
from libs.common.contracts.operation import DeliveryDeadLettered
from libs.common.errors import PermanentError, TransientError

_PAUSE_SECONDS = 1.0

_log = structlog.get_logger()


async def announce(publish: Publish, delivery: Delivery, verdict: Verdict, clock: Clock) -> None:
    """Publish `delivery.dead_lettered.v1`, before the delivery is settled; waits for the broker.

    A crash before the settlement repeats it, with the same id and body.
    """
    message = delivery.message
    if not isinstance(verdict.settlement, DeadLetter):
        return
    if message.type == DeliveryDeadLettered.type:
        return  # a letter about a letter would never end
    contract = DeliveryDeadLettered(
        # What was not understood, or not allowed, proves nothing about a tenant.
        tenant=None if verdict.cause in {"poison", "not_authorised"} else message.tenant,
        queue=delivery.queue,
        dead_type=message.type,
        dead_message_id=message.message_id,
        publisher=delivery.publisher,
        reason=verdict.settlement.reason,
        attempt=delivery.attempt,
    )
    key = f"{delivery.queue}/{delivery.attempt}/{contract.reason}"
    try:
        while not await _published(publish, contract, key):
            await clock.sleep(_PAUSE_SECONDS)
    except PermanentError as error:
        # The letter itself is kept all the same.
        _log.error("announcement_refused", reason=error.reason, detail=error.detail)


async def _published(publish: Publish, contract: DeliveryDeadLettered, key: str) -> bool:
    try:
        await publish(contract, key=key)
    except TransientError as error:
        _log.warning("announcement_delayed", reason=error.reason)
        return False
    return True
