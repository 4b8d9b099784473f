"""Consumers that sleep are woken when something arrives: in this process, and in others."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class Wakeups:
    """Rings those who wait for a queue. One for all brokers of a process; for one event loop."""

    def __init__(self) -> None:
        self._bells: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    @contextmanager
    def listening(self, queue: str) -> Iterator[asyncio.Event]:
        """Return an event that is set whenever the queue may have something new."""
        bell = asyncio.Event()
        self._bells[queue].add(bell)
        try:
            yield bell
        finally:
            self._bells[queue].discard(bell)

    def ring(self, queues: Iterable[str]) -> None:
        """Wake who waits for these queues."""
        for queue in queues:
            for bell in self._bells.get(queue, ()):
                bell.set()

    def ring_all(self) -> None:
        """Wake everybody: something may have been missed."""
        self.ring(list(self._bells))
