"""Contracts become messages, under ids that repeat on a re-run."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID, uuid5

from libs.common.broker.port import Delivery, Message, Publisher
from libs.common.clock import Clock
from libs.common.contracts import Contract

_IDS = UUID("5f1e8d0a-3c55-4c5c-9b0e-6d3a9f1c2b70")


@dataclass(frozen=True, slots=True)
class Cause:
    """What made us publish: one proved message, or a first cause of our own."""

    message_id: str
    correlation_id: str
    #: Who published the cause; our own name for a first cause.
    publisher: str
    #: When the cause was made, UTC-aware.
    timestamp: datetime
    traceparent: str | None = None
    #: False for a first cause: nothing on the exchange carries its id.
    is_message: bool = True

    @classmethod
    def of(cls, delivery: Delivery) -> "Cause":
        """Return a delivery as the cause of what follows."""
        message = delivery.message
        return cls(
            message_id=message.message_id,
            correlation_id=message.correlation_id,
            publisher=delivery.publisher,
            timestamp=message.timestamp,
            traceparent=message.traceparent,
        )

    def effect_id(self, type_: str, key: str) -> str:
        """Return the id of an effect: a function of the cause, the effect's type and its key."""
        return str(uuid5(_IDS, f"{self.publisher}\n{self.message_id}\n{type_}\n{key}"))


class Publish(Protocol):
    """Publishes what follows from one cause."""

    @property
    def cause(self) -> Cause:
        """What made the handler run, with its proved publisher."""

    async def __call__(self, *contracts: Contract, key: str = "") -> None:
        """Publish; the ids are a function of the cause, each contract's type, place and `key`.

        Raises:
            TransientError, PermanentError: see `Publisher.publish`.
        """


class CausedPublish:
    """`Publish` for one cause over a broker's `Publisher`."""

    def __init__(self, publisher: Publisher, cause: Cause, *, clock: Clock, app_id: str) -> None:
        self._publisher = publisher
        self._cause = cause
        self._clock = clock
        self._app_id = app_id

    @property
    def cause(self) -> Cause:
        """See `Publish.cause`."""
        return self._cause

    async def __call__(self, *contracts: Contract, key: str = "") -> None:
        """See `Publish.__call__`."""
        await self._publisher.publish(self.messages(contracts, key))

    def messages(self, contracts: Sequence[Contract], key: str = "") -> list[Message]:
        """Return the contracts as messages: the i-th of its type always has the same id."""
        places: dict[str, int] = {}
        messages = []
        for contract in contracts:
            place = places.get(contract.type, 0)
            places[contract.type] = place + 1
            messages.append(
                Message(
                    message_id=self._cause.effect_id(contract.type, f"{key}/{place}"),
                    type=contract.type,
                    body=contract.body(),
                    tenant=contract.tenant,
                    correlation_id=self._cause.correlation_id,
                    causation_id=self._cause.message_id if self._cause.is_message else None,
                    timestamp=self._clock.now(),
                    app_id=self._app_id,
                    traceparent=self._cause.traceparent,
                )
            )
        return messages
