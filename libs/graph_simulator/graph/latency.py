"""How long things take: a log-normal time per operation, from the seed."""

import math
import random

from libs.common.clock import Clock
from libs.graph_simulator.options import Latency


class Delays:
    """Spends the time an operation takes."""

    def __init__(self, clock: Clock, chance: random.Random, latency: Latency) -> None:
        self.latency = latency
        self._clock = clock
        self._chance = chance

    async def spend(self, operation: str) -> None:
        """Wait as long as this operation takes this time."""
        seconds = self.draw_seconds(operation)
        if seconds > 0:
            await self._clock.sleep(seconds)

    def draw_seconds(self, operation: str) -> float:
        """Draw one time."""
        # Sign-in is another host: it is slow only where that is asked for.
        usual = 0 if operation == "token" else self.latency.median_ms
        median = self.latency.operations_ms.get(operation, usual)
        if median <= 0:
            return 0
        drawn = median * math.exp(self._chance.gauss(0, self.latency.sigma))
        return min(drawn, self.latency.cap_ms) / 1000
