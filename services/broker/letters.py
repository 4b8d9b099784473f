"""Dead letters as operators choose and see them."""

import json
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

from libs.common.broker.port import DeadLettered, DeadLetters

#: How letters of no tenant are asked for.
NO_TENANT = "-"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters are meant: those that meet all that is said."""

    ids: Collection[str] | None = None
    queue: str | None = None
    type: str | None = None
    reason: str | None = None
    #: As the message claims it; `NO_TENANT` for none.
    tenant: str | None = None
    publisher: str | None = None
    since: datetime | None = None
    limit: int | None = None

    def includes(self, letter: DeadLettered) -> bool:
        """Return whether a letter is meant, the limit aside."""
        delivery = letter.delivery
        texts = (
            (self.queue, delivery.queue),
            (self.type, delivery.message.type),
            (self.reason, letter.reason),
            (self.tenant, delivery.message.tenant or NO_TENANT),
            (self.publisher, delivery.publisher),
        )
        return (
            (self.ids is None or letter.dead_letter_id in self.ids)
            and (self.since is None or letter.dead_lettered_at >= self.since)
            and all(wanted in {None, found} for wanted, found in texts)
        )


async def chosen(dead_letters: DeadLetters, wanted: Wanted) -> AsyncGenerator[DeadLettered, None]:
    """Go through the letters that are meant; see `DeadLetters.walk`."""
    count = 0
    async with aclosing(dead_letters.walk(wanted.queue)) as letters:
        async for letter in letters:
            if wanted.includes(letter):
                yield letter
                count += 1
                if count == wanted.limit:
                    return


def summary(letter: DeadLettered) -> dict[str, object]:
    """Return a letter as a line of a list: whatever is not its body."""
    delivery = letter.delivery
    return {
        "id": letter.dead_letter_id,
        "queue": delivery.queue,
        "type": delivery.message.type,
        "tenant": delivery.message.tenant,
        "publisher": delivery.publisher,
        "reason": letter.reason,
        "attempt": delivery.attempt,
        "dead_lettered_at": letter.dead_lettered_at,
        "message_id": delivery.message.message_id,
    }


def everything(letter: DeadLettered) -> dict[str, object]:
    """Return a letter whole, but for its body."""
    message = letter.delivery.message
    return {
        **summary(letter),
        "correlation_id": message.correlation_id,
        "causation_id": message.causation_id,
        "timestamp": message.timestamp,
        "app_id": message.app_id,
        "traceparent": message.traceparent,
        "body_bytes": len(message.body),
    }


def body(letter: DeadLettered) -> Mapping[str, object]:
    """Return the body: as `body` where it is JSON, else as `body_text`; the other one is null."""
    raw = letter.delivery.message.body
    try:
        return {"body": json.loads(raw, parse_constant=_refuse), "body_text": None}
    except (ValueError, RecursionError):  # what somebody sent, not what he should have sent
        return {"body": None, "body_text": raw.decode("utf-8", "replace")}


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
