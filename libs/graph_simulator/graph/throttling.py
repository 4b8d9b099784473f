"""The limits of Outlook in Graph, per application and mailbox, and the one over everything."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from libs.common.clock import Clock
from libs.graph_simulator.graph.calls import Call
from libs.graph_simulator.graph.errors import application_throttled, too_many_requests
from libs.graph_simulator.options import Throttling

Place = tuple[str, str]


class Throttle:
    """Counts what is under way and what was asked for; refused calls count, too."""

    def __init__(self, clock: Clock, limits: Throttling) -> None:
        self.limits = limits
        self._clock = clock
        self._in_flight: dict[Place, int] = {}
        self._highest: dict[Place, int] = {}
        self._requests: dict[Place, _Window] = {}
        self._uploads: dict[Place, _Window] = {}
        self._everything: dict[str, _Window] = {}

    @contextmanager
    def admitted(self, call: Call) -> Iterator[None]:
        """Hold one of the mailbox's places.

        Raises:
            GraphError: 429, with the text that names the limit.
        """
        application = call.exchange.caller.application.client_id
        self._check_everything(application)
        if call.target is None:
            yield
            return
        place = (application, call.target.address)
        self._check_windows(place, call.request.size_bytes)
        under_way = self._in_flight.get(place, 0) + 1
        self._highest[place] = max(under_way, self._highest.get(place, 0))
        if under_way > self.limits.mailbox_concurrency:
            raise application_throttled("MailboxConcurrency", "1")
        self._in_flight[place] = under_way
        try:
            yield
        finally:
            self._in_flight[place] -= 1

    def highest_concurrency(self) -> dict[str, int]:
        """The most calls at once that each mailbox saw of an application, refused ones included."""
        highest: dict[str, int] = {}
        for (_, mailbox), count in self._highest.items():
            highest[mailbox] = max(count, highest.get(mailbox, 0))
        return highest

    def forget_highest(self) -> None:
        """Begin the statistics anew; the limits themselves go on counting."""
        self._highest.clear()

    def _check_everything(self, application: str) -> None:
        limits = self.limits
        window = self._everything.setdefault(application, _Window())
        now = self._clock.monotonic()
        wait = window.add(now, 1, limits.global_requests, limits.global_window_seconds)
        if wait is not None:
            raise too_many_requests(f"{max(wait, 0.1):.3f}")

    def _check_windows(self, place: Place, size_bytes: int) -> None:
        limits, now = self.limits, self._clock.monotonic()
        requests = self._requests.setdefault(place, _Window())
        wait = requests.add(now, 1, limits.mailbox_requests, limits.mailbox_window_seconds)
        if wait is not None:
            raise application_throttled("Request", str(int(wait) + 1))
        if size_bytes == 0:
            return
        uploads = self._uploads.setdefault(place, _Window())
        wait = uploads.add(now, size_bytes, limits.upload_bytes, limits.upload_window_seconds)
        if wait is not None:
            raise application_throttled("IncomingBytes", str(int(wait) + 1))


class _Window:
    """A sliding sum."""

    __slots__ = ("_entries", "_sum")

    def __init__(self) -> None:
        self._entries: deque[tuple[float, int]] = deque()
        self._sum = 0

    def add(self, now: float, amount: int, limit: int, seconds: float) -> float | None:
        """Count; None within the limit, else the seconds until there is room again."""
        while self._entries and self._entries[0][0] <= now - seconds:
            self._sum -= self._entries.popleft()[1]
        self._entries.append((now, amount))
        self._sum += amount
        if self._sum <= limit:
            return None
        excess, at = self._sum - limit, now
        for at, one in self._entries:  # noqa: B007
            excess -= one
            if excess <= 0:
                break
        return at + seconds - now
