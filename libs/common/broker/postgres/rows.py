"""Rows of the queue's tables as deliveries and dead letters, and messages as columns."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from libs.common.broker.port import DeadLettered, Delivery, Message


@dataclass(frozen=True, slots=True)
class Receipt:
    """A hold: the row, and the number of the claim that took it."""

    delivery_id: int
    claim: int


def columns_of(messages: Sequence[Message]) -> tuple[list[object], ...]:
    """Return messages as the parallel arrays that `publish` takes."""
    return (
        [message.message_id for message in messages],
        [message.type for message in messages],
        [message.body for message in messages],
        [message.tenant for message in messages],
        [message.correlation_id for message in messages],
        [message.causation_id for message in messages],
        [message.timestamp for message in messages],
        [message.app_id for message in messages],
        [message.traceparent for message in messages],
    )


def delivery_of(row: asyncpg.Record, queue: str) -> Delivery:
    """Return a claimed row."""
    return Delivery(
        message=_message_of(row),
        publisher=row["publisher"],
        queue=queue,
        attempt=row["attempt"],
        redelivered=row["handed_out"] > 1,
        receipt=Receipt(row["delivery_id"], row["claim"]),
    )


def dead_letter_of(row: asyncpg.Record) -> DeadLettered:
    """Return a row of the dead letters; its delivery cannot be settled any more."""
    return DeadLettered(
        dead_letter_id=str(row["dead_letter_id"]),
        delivery=Delivery(
            message=_message_of(row),
            publisher=row["publisher"],
            queue=row["queue"],
            attempt=row["attempt"],
            redelivered=row["handed_out"] > 1,
            receipt=None,
        ),
        reason=row["reason"],
        dead_lettered_at=row["dead_lettered_at"],
    )


def _message_of(row: asyncpg.Record) -> Message:
    return Message(
        message_id=row["message_id"],
        type=row["type"],
        body=row["body"],
        tenant=row["tenant"],
        correlation_id=row["correlation_id"],
        causation_id=row["causation_id"],
        timestamp=row["made_at"],
        app_id=row["app_id"],
        traceparent=row["traceparent"],
    )
