"""Each service and each server dies while mail comes in and goes back out."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.load import Blow, short_and_long, under_load
from tests.e2e.scene import Ground, Scene
from tests.e2e.servers import node_of
from tests.e2e.site import SERVICES
from tests.e2e.waiting import until
from tests.services.vhosts import RabbitServer

pytestmark = pytest.mark.timeout(240)


def service_dies(service: str) -> Blow:
    @contextmanager
    def die(stage: Scene) -> Iterator[None]:
        replica = stage.undeliver.of(service)
        replica.kill()
        yield
        replica.begin()

    return die


def service_is_restarted(service: str) -> Blow:
    @contextmanager
    def restart(stage: Scene) -> Iterator[None]:
        replica = stage.undeliver.of(service)
        ended = replica.program.terminate()
        assert ended.code == 0, ended.err
        yield
        replica.begin()
        until(replica.is_ready, f"{service} to be ready again")

    return restart


@pytest.fixture
def rabbitmq_dies(ground: Ground, rabbit: RabbitServer) -> Blow:
    @contextmanager
    def die(_: Scene) -> Iterator[None]:
        node = node_of(rabbit)
        node.kill()
        yield
        ground.beside.call(node.start())

    return die


@pytest.fixture
def postgres_dies(ground: Ground) -> Blow:
    @contextmanager
    def die(_: Scene) -> Iterator[None]:
        ground.postgres.kill()
        yield
        ground.beside.call(ground.postgres.start())

    return die


@short_and_long
@pytest.mark.parametrize("service", SERVICES)
def test_what_had_its_250_outlives_the_death_of_a_service(stage, tell, service, times, size):
    tell(under_load(stage, [service_dies(service)] * 2 * times, size=size))
    stage.undeliver.await_ready()


@short_and_long
def test_what_had_its_250_outlives_the_death_of_rabbitmq(stage, tell, rabbitmq_dies, times, size):
    tell(under_load(stage, [rabbitmq_dies] * times, size=size))
    stage.undeliver.await_ready()


@short_and_long
def test_what_had_its_250_outlives_the_death_of_postgres(stage, tell, postgres_dies, times, size):
    tell(under_load(stage, [postgres_dies] * 2 * times, size=size))
    stage.undeliver.await_ready()


def test_services_that_are_restarted_in_turn_lose_and_double_nothing(stage, tell):
    tell(under_load(stage, [service_is_restarted(each) for each in SERVICES], size=16))
