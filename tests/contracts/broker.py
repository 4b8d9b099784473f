"""What every broker must do. Assumes no order, no exact timing, nothing about the inside."""

import pytest

from libs.common.broker.port import Broker
from tests.contracts.broker_dead_letters import DeadLettersContract
from tests.contracts.broker_faults import FaultsContract
from tests.contracts.broker_publishing import PublishingContract
from tests.contracts.broker_receiving import ReceivingContract
from tests.contracts.broker_rig import BrokerRig
from tests.contracts.broker_settling import SettlingContract


class BrokerContract(
    PublishingContract, ReceivingContract, SettlingContract, DeadLettersContract, FaultsContract
):
    """The whole suite: a broker's test gives the fixture `rig`, nothing else."""

    @pytest.fixture
    def rig(self) -> BrokerRig:
        raise LookupError("the broker's own test gives the rig")

    @pytest.fixture
    async def ingest(self, rig: BrokerRig) -> Broker:
        return await rig.connect("ingest")

    @pytest.fixture
    async def classifier(self, rig: BrokerRig) -> Broker:
        return await rig.connect("classifier")

    @pytest.fixture
    async def retractor(self, rig: BrokerRig) -> Broker:
        return await rig.connect("retractor")

    @pytest.fixture
    async def audit(self, rig: BrokerRig) -> Broker:
        return await rig.connect("audit")
