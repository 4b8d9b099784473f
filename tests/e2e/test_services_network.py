"""The network between the services and a server is hurt while mail comes in and goes back out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.load import Blow, under_load
from tests.e2e.scene import Scene
from tests.e2e.waiting import until
from tests.faults.proxy import Network

_DROPPED_BYTES = 3000
_LATENCY_SECONDS = 0.1


@pytest.fixture(params=["rabbitmq", "postgres"])
def network(request: pytest.FixtureRequest, stage: Scene) -> Network:
    """Give the one before a server."""
    return getattr(stage.site.networks, request.param)


def hurt(network: Network, how: Callable[[Network], None], *, until_known: bool = False) -> Blow:
    """Hurt a network while mail is handed over, or until ingest says that it cannot work."""

    @contextmanager
    def blow(stage: Scene) -> Iterator[None]:
        door = stage.undeliver.of("ingest")
        how(network)
        yield
        if until_known:
            until(lambda: not door.is_ready(), "ingest to say that it cannot work")
        network.resume()

    return blow


def shut(network: Network) -> None:
    network.refuse()
    network.cut()


def every_fault(network: Network) -> list[Blow]:
    return [
        hurt(network, Network.cut),
        hurt(network, Network.reset),
        hurt(network, lambda wire: wire.drop_after(_DROPPED_BYTES)),
        hurt(network, lambda wire: wire.delay(_LATENCY_SECONDS)),
        hurt(network, shut, until_known=True),
        hurt(network, Network.swallow, until_known=True),
    ]


@pytest.mark.parametrize(
    ("times", "size"),
    [
        pytest.param(1, 10, marks=pytest.mark.timeout(240), id="short"),
        pytest.param(6, 40, marks=[pytest.mark.long, pytest.mark.timeout(1800)], id="long"),
    ],
)
def test_a_network_that_fails_loses_and_doubles_nothing(stage, tell, network, times, size):
    tell(under_load(stage, every_fault(network) * times, size=size))
    stage.undeliver.await_ready()
