"""What the clients did: calls by operation and mailbox, and who came back too early."""

from collections import Counter, deque
from datetime import datetime
from email.utils import parsedate_to_datetime

from libs.common.clock import Clock
from libs.graph_simulator.graph.requests import Exchange, GraphResponse
from libs.graph_simulator.graph.throttling import Place

_MOST_EXAMPLES = 100


class Statistics:
    """Counters since the start or the last reset."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.calls: Counter[str] = Counter()
        self.by_mailbox: dict[str, Counter[str]] = {}
        self.answers: Counter[str] = Counter()
        self.http_requests = 0
        self.batches = 0
        self.batch_sizes: Counter[int] = Counter()
        self.token_requests: Counter[str] = Counter()
        self.early_retries = 0
        self.early_examples: deque[dict[str, object]] = deque(maxlen=_MOST_EXAMPLES)
        self._waits: dict[Place, tuple[float, float]] = {}

    def count(self, operation: str, mailbox: str, status: int) -> None:
        """Count an operation that was answered."""
        self.calls[operation] += 1
        self.answers[f"{operation} {status}"] += 1
        if mailbox:
            self.by_mailbox.setdefault(mailbox, Counter())[operation] += 1

    def note_refusal(self, exchange: Exchange, place: Place, answer: GraphResponse) -> None:
        """Remember that somebody was told to wait; it holds from when the answer leaves."""
        seconds = _seconds(answer.headers.get("Retry-After"), self._clock.now())
        if answer.status in {429, 503} and seconds is not None:
            exchange.refusals.append((place, seconds))

    def tell_refusals(self, exchange: Exchange) -> None:
        """The answer leaves now: whoever comes before the time has heard it."""
        now = self._clock.monotonic()
        for place, seconds in exchange.refusals:
            _, until = self._waits.get(place, (0.0, 0.0))
            self._waits[place] = (now, max(until, now + seconds))

    def note_arrival(self, place: Place, arrived_at: float) -> None:
        """Count a call that comes before its Retry-After is over, though it had been told."""
        told_at, until = self._waits.get(place, (0.0, 0.0))
        if told_at < arrived_at < until:
            self.early_retries += 1
            self.early_examples.append(
                {
                    "mailbox": place[1],
                    "seconds_early": round(until - arrived_at, 3),
                    "seconds_after_refusal": round(arrived_at - told_at, 3),
                }
            )


def _seconds(retry_after: str | None, now: datetime) -> float | None:
    if not retry_after:
        return None
    try:
        return float(retry_after)
    except ValueError:
        pass
    try:
        return (parsedate_to_datetime(retry_after) - now).total_seconds()
    except (ValueError, TypeError):
        return None
