"""Two processes of each service: they share the work, and stand in for each other."""

from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.balance import some_mail
from tests.e2e.deployment import Replica
from tests.e2e.exchange import exchange
from tests.e2e.scene import Ground, Scene, scene
from tests.e2e.servers import frozen
from tests.e2e.site import SERVICES
from tests.e2e.waiting import until
from tests.services.vhosts import RabbitServer

#: Eight processes take their time to start, and what stands still is given some.
pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

#: Of Graph: so that what is stopped has moves on their way.
_LATENCY_MS = 60.0


@pytest.fixture(scope="module")
def stage(ground: Ground, rabbit: RabbitServer) -> Iterator[Scene]:
    settings = {"RETRACTOR_LEASE_SECONDS": "3", "CLASSIFIER_WORKERS": "1"}
    with scene(
        ground, "replicas", rabbit, settings=settings, latency_ms=_LATENCY_MS, replicas=2
    ) as set_up:
        set_up.start()
        yield set_up


def first_of_each(stage: Scene) -> list[Replica]:
    return [stage.undeliver.of(service) for service in SERVICES]


def handled(replica: Replica) -> float:
    """Return how many deliveries a process has settled as done."""
    families = text_string_to_metric_families(replica.get("/metrics").text)
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == "undeliver_deliveries_total" and sample.labels["settlement"] == "ack"
    )


def test_both_of_each_work_and_one_takes_over_from_another_that_was_killed(stage, tell):
    mails = some_mail(1_001, 48)
    stage.deliver(mails)
    before, during = mails[:32], mails[32:]
    consumers = [each for each in stage.undeliver.replicas if each.service != "ingest"]

    with exchange(*stage.undeliver.smtp_ports) as sender:
        sender.send(before)
        until(lambda: all(handled(each) for each in consumers), "work for every process")
        for replica in first_of_each(stage):
            replica.kill()
        sender.send(during)
        tell(stage.balance(mails, sender))

    for replica in first_of_each(stage):
        replica.begin()
    stage.undeliver.await_ready()


def test_a_rolling_restart_loses_and_doubles_nothing(stage, tell):
    mails = some_mail(2_001, 96)
    stage.deliver(mails)

    with exchange(*stage.undeliver.smtp_ports) as sender:
        for place, replica in enumerate(stage.undeliver.replicas):
            batch = mails[place * 12 : place * 12 + 12]
            sender.send(batch)
            until(lambda: batch[0] in sender.accepted, "the next reports")  # noqa: B023
            assert replica.program.terminate().code == 0
            replica.begin()
            until(replica.is_ready, f"{replica.service} to be ready again")
        tell(stage.balance(mails, sender))


def test_one_of_each_takes_over_from_another_that_stands_still(stage, tell):
    mails = some_mail(3_001, 48)
    stage.deliver(mails)
    before, during = mails[:24], mails[24:]

    with exchange(*stage.undeliver.smtp_ports) as sender:
        sender.send(before)
        until(lambda: len(sender.accepted) >= 12, "more reports")
        with frozen([each.program.pid for each in first_of_each(stage)[1:]]):
            sender.send(during)
            stage.balance(mails, sender)
        stage.undeliver.await_ready()
        # What awoke late finds its work done.
        tell(stage.balance(mails, sender))
