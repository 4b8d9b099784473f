"""The broker in memory keeps the broker's contract, so that tests may stand on it."""

from contextlib import asynccontextmanager

import pytest

from libs.common.clock import SystemClock
from tests.contracts.broker import BrokerContract
from tests.contracts.broker_rig import PATIENCE_SECONDS, TOPOLOGY
from tests.fakes.broker import Exchange, MemoryBroker


class MemoryRig:
    """See `BrokerRig`."""

    def __init__(self):
        self._exchange = Exchange(SystemClock(), TOPOLOGY)

    async def connect(
        self, publisher, *, topology=TOPOLOGY, publish_timeout_seconds=PATIENCE_SECONDS
    ):
        return MemoryBroker(self._exchange, publisher, topology, publish_timeout_seconds)

    async def dead_letters(self):
        return (await self.connect("cli")).dead_letters

    async def declare(self, topology):
        self._exchange.topology = topology

    async def kill(self, broker):
        broker.is_dead = True
        for entry in self._exchange.entries:
            if entry.holder is not None:
                entry.holder = None
                entry.lost += 1

    async def cut(self):
        for broker in self._exchange.brokers:
            broker.failures = 1
        self._exchange.ring()

    @asynccontextmanager
    async def stalled(self):
        self._exchange.confirms.clear()
        yield
        self._exchange.confirms.set()


class TestMemoryBroker(BrokerContract):
    @pytest.fixture
    def rig(self):
        return MemoryRig()
