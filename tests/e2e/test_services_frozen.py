"""Each service and each server stands still for longer than others wait, and then goes on."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.load import Blow, short_and_long, under_load
from tests.e2e.scene import Ground, Scene
from tests.e2e.servers import frozen, node_of
from tests.e2e.site import SERVICES
from tests.e2e.waiting import until
from tests.services.vhosts import RabbitServer

pytestmark = pytest.mark.timeout(240)


def service_freezes(service: str) -> Blow:
    @contextmanager
    def freeze(stage: Scene) -> Iterator[None]:
        with frozen([stage.undeliver.of(service).program.pid]):
            yield
            until(lambda: stage.connections(service) == [], f"RabbitMQ to give up {service}")

    return freeze


@contextmanager
def door_is_shut(stage: Scene) -> Iterator[None]:
    """Wait, after the body, until ingest says that it cannot work, though it is alive."""
    yield
    door = stage.undeliver.of("ingest")
    until(lambda: not door.is_ready(), "ingest to say that it cannot work")
    assert door.get("/healthz").status_code == 200


@pytest.fixture
def rabbitmq_freezes(rabbit: RabbitServer) -> Blow:
    @contextmanager
    def freeze(stage: Scene) -> Iterator[None]:
        with frozen([node_of(rabbit).pid]), door_is_shut(stage):
            yield

    return freeze


@pytest.fixture
def postgres_freezes(ground: Ground) -> Blow:
    @contextmanager
    def freeze(stage: Scene) -> Iterator[None]:
        with ground.postgres.frozen(), door_is_shut(stage):
            yield

    return freeze


@short_and_long
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_that_stood_still_loses_and_doubles_nothing(stage, tell, service, times, size):
    tell(under_load(stage, [service_freezes(service)] * times, size=size))
    stage.undeliver.await_ready()


@short_and_long
def test_nothing_is_lost_while_rabbitmq_stands_still(stage, tell, rabbitmq_freezes, times, size):
    tell(under_load(stage, [rabbitmq_freezes] * times, size=size))
    stage.undeliver.await_ready()


@short_and_long
def test_nothing_is_lost_while_postgres_stands_still(stage, tell, postgres_freezes, times, size):
    tell(under_load(stage, [postgres_freezes] * times, size=size))
    stage.undeliver.await_ready()
