"""Command lines and brokers."""

import pytest

from tests.broker.sites import CommandLine, OnRabbit
from tests.services.vhosts import Vhost


@pytest.fixture
def broker(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Give `undeliver broker`."""
    return CommandLine(capsys, monkeypatch)


@pytest.fixture
def rabbit(vhost: Vhost) -> OnRabbit:
    """Give a virtual host with nothing in it."""
    return OnRabbit(vhost)
