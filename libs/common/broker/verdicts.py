"""What a failure means for a delivery (our guide's three ways to fail)."""

from dataclasses import dataclass

from libs.common.broker.port import Ack, DeadLetter, Delivery, HandBack, Retry, Settlement
from libs.common.broker.topology import Topology
from libs.common.errors import PermanentError, PoisonError, TransientError, UndeliverError
from libs.common.metrics import Cause, Settled

#: The reason of a failure that is a bug of ours.
UNEXPECTED = "unexpected_error"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a delivery is to be settled, and for a dead letter, on which grounds."""

    settlement: Settlement
    cause: Cause | None = None
    #: For the log.
    detail: str = ""

    @property
    def settled(self) -> Settled:
        """The settlement as metrics name it."""
        match self.settlement:
            case Ack():
                return "ack"
            case Retry():
                return "retry"
            case DeadLetter():
                return "dead_letter"
            case HandBack():
                return "hand_back"


def after(error: Exception, delivery: Delivery, topology: Topology) -> Verdict:
    """Return what follows from a failed attempt.

    Transient, and whatever nobody expected: again at the attempt's delay step, until the steps are
    spent. Permanent and poison: given up on at once.
    """
    detail = error.detail if isinstance(error, UndeliverError) else type(error).__name__
    if isinstance(error, PoisonError):
        return Verdict(DeadLetter(error.reason), "poison", detail)
    if isinstance(error, PermanentError):
        return Verdict(DeadLetter(error.reason), "permanent", detail)
    reason = error.reason if isinstance(error, TransientError) else UNEXPECTED
    steps = topology.delay_steps_seconds
    if delivery.attempt > len(steps):
        return Verdict(DeadLetter(reason), "spent", detail)
    asked_seconds = error.retry_after_seconds if isinstance(error, TransientError) else None
    delay_seconds = _step(steps, delivery.attempt, asked_seconds or 0.0)
    return Verdict(Retry(reason, delay_seconds), detail=detail)


def _step(steps: tuple[float, ...], attempt: int, asked_seconds: float) -> float:
    """Return the attempt's step, or the next one up that is as long as was asked for."""
    return next((step for step in steps[attempt - 1 :] if step >= asked_seconds), steps[-1])
