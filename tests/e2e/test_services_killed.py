"""Each service and each server dies while mail comes in and goes back out."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.load import LATENCY_MS, Blow, short_and_long, under_load
from tests.e2e.programs import processes_about
from tests.e2e.scene import Ground, Scene, scene
from tests.e2e.servers import node_of
from tests.e2e.site import SERVICES
from tests.services.vhosts import RabbitServer

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def stage(ground: Ground, rabbit: RabbitServer) -> Iterator[Scene]:
    settings = {"RETRACTOR_LEASE_SECONDS": "3"}
    with scene(ground, "killed", rabbit, settings=settings, latency_ms=LATENCY_MS) as set_up:
        set_up.start()
        yield set_up


def service_dies(service: str) -> Blow:
    @contextmanager
    def die(stage: Scene) -> Iterator[None]:
        replica = stage.undeliver.of(service)
        replica.kill()
        yield
        replica.begin()

    return die


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
    tell(under_load(stage, [service_dies(service)] * times, size=size))
    stage.undeliver.await_ready()


@short_and_long
def test_what_had_its_250_outlives_the_death_of_rabbitmq(stage, tell, rabbitmq_dies, times, size):
    tell(under_load(stage, [rabbitmq_dies] * times, size=size))
    stage.undeliver.await_ready()


@short_and_long
def test_what_had_its_250_outlives_the_death_of_postgres(stage, tell, postgres_dies, times, size):
    tell(under_load(stage, [postgres_dies] * times, size=size))
    stage.undeliver.await_ready()


def test_after_all_that_each_service_ends_well_and_leaves_no_process(stage):
    assert [ended.code for ended in stage.undeliver.end()] == [0, 0, 0, 0]
    assert processes_about(stage.site.configuration) == {}
