"""Effects once: the answer is kept with the effect, and a second run gives it again."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import structlog

from libs.common.broker.publishing import Publish
from libs.common.clock import Clock
from libs.common.contracts import Contract
from libs.common.contracts.retraction import RetractionFinished, RetractionHeld
from services.retractor import metrics
from services.retractor.domain.retraction import Status
from services.retractor.ports.ledger import Ledger, Transaction
from services.retractor.ports.rules import Rules

_log = structlog.get_logger()

#: What a message led to: contracts under the key that enters their id.
Answers = Sequence[tuple[str, Contract]]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long retractions wait for mail that is not there yet."""

    #: For the journal report of a message that nobody has told us of.
    unknown_message_seconds: float = 1800.0
    #: For later recipients of a message that was retracted from everybody.
    standing_order_seconds: float = 30 * 86_400.0


def _nobody() -> None:
    """Nobody is to be woken."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What every handler works with."""

    ledger: Ledger
    rules: Rules
    clock: Clock
    patience: Patience = field(default_factory=Patience)
    #: Tells the workers of this process that there is work; others find it by themselves.
    ring: Callable[[], None] = _nobody


async def answer_once(
    desk: Desk,
    publish: Publish,
    tenant: str,
    subjects: Sequence[str],
    decide: Callable[[Transaction], Awaitable[Answers]],
) -> None:
    """Decide in one transaction under the subjects' locks, then announce.

    A redelivered message finds its answers and announces the same under the same ids.
    """
    async with desk.ledger.transaction(tenant, subjects) as ledger:
        answers = await ledger.answers.to(publish.cause)
        is_new = answers is None
        if answers is None:
            answers = await decide(ledger)
            if answers:  # what led to nothing may well do so again
                await ledger.answers.remember(publish.cause, answers)
    desk.ring()
    if is_new:
        _count(answers)
    for key, contract in answers:
        await publish(contract, key=key)


def _count(answers: Answers) -> None:
    for _, contract in answers:
        status = getattr(contract, "status", None)
        _log.info("retraction_answered", type=contract.type, status=status)
        if isinstance(contract, RetractionHeld):
            metrics.RETRACTIONS.labels(outcome=Status.HELD.value).inc()
        elif isinstance(contract, RetractionFinished):
            metrics.RETRACTIONS.labels(outcome=contract.status).inc()
