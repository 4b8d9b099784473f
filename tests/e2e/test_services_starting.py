"""Services that start before anything that they stand on: they wait, say so, and then work."""

from collections.abc import Iterator

import pytest

from tests.e2e.balance import some_mail
from tests.e2e.deployment import Deployment
from tests.e2e.exchange import exchange
from tests.e2e.scene import Ground, Scene, scene
from tests.e2e.servers import node_of
from tests.e2e.waiting import until
from tests.services.vhosts import RabbitServer

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def stage(ground: Ground, rabbit: RabbitServer) -> Iterator[Scene]:
    with scene(ground, "starting", rabbit) as set_up:
        yield set_up


def waiting(undeliver: Deployment, check: str) -> bool:
    """Tell whether all live, and none is ready, for one reason at least."""
    said = [replica.checks() for replica in undeliver.replicas]
    return all(each is not None and each.get(check, "ok") != "ok" for each in said)


def all_wait(undeliver: Deployment, check: str, what: str) -> None:
    until(lambda: waiting(undeliver, check), f"all to wait for {what}")
    for replica in undeliver.replicas:
        assert replica.get("/healthz").status_code == 200
        assert replica.get("/readyz").status_code == 503


def test_started_before_everything_they_wait_for_each_thing_and_then_work(
    stage, ground, rabbit, tell
):
    node_of(rabbit).kill()
    ground.postgres.kill()
    mails, undeliver = some_mail(1, 8), stage.undeliver

    undeliver.begin()
    all_wait(undeliver, "broker", "a broker")

    ground.beside.call(node_of(rabbit).start())
    stage.site.make_users()
    all_wait(undeliver, "database", "a database")

    ground.beside.call(ground.postgres.start())
    stage.site.make_database()
    all_wait(undeliver, "queues", "the topology")

    stage.site.declare_topology()
    undeliver.await_ready()
    stage.deliver(mails)
    with exchange(*undeliver.smtp_ports) as sender:
        sender.send(mails)
        tell(stage.balance(mails, sender))
