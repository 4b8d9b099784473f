"""Contracts become messages under ids that repeat."""

from dataclasses import replace

import pytest

from libs.common.broker.port import Delivery
from libs.common.broker.publishing import Cause, CausedPublish
from tests.common.deliveries import CANCEL, command
from tests.fakes.broker import Exchange, MemoryBroker

OTHER = CANCEL.model_copy(update={"reason": "another"})
DELIVERY = Delivery(
    command("m1", traceparent="00-1-2-01"),
    publisher="soar",
    queue="test.commands.v1",
    attempt=1,
    redelivered=False,
    receipt=None,
)


@pytest.fixture
def publish(clock):
    broker = MemoryBroker(Exchange(clock), "retractor")

    def bound_to(cause):
        return CausedPublish(broker, cause, clock=clock, app_id="retractor")

    return bound_to


def test_what_follows_from_a_delivery_carries_its_cause(publish, clock):
    [message] = publish(Cause.of(DELIVERY)).messages([CANCEL])

    assert (message.causation_id, message.correlation_id) == ("m1", "c1")
    assert (message.type, message.tenant, message.body) == (CANCEL.type, "acme", CANCEL.body())
    assert (message.app_id, message.timestamp) == ("retractor", clock.now())
    assert message.traceparent == "00-1-2-01"


def test_a_first_cause_names_no_message_that_nobody_can_find(publish, clock):
    cause = Cause("report-1", "c1", "ingest", clock.now(), is_message=False)

    [message] = publish(cause).messages([CANCEL])

    assert message.causation_id is None


async def test_the_ids_are_a_function_of_the_cause(publish, clock):
    first = publish(Cause.of(DELIVERY)).messages([CANCEL, OTHER])
    await clock.advance(60)
    again = publish(Cause.of(replace(DELIVERY, attempt=2))).messages([CANCEL, OTHER])

    assert [message.message_id for message in again] == [message.message_id for message in first]


def test_no_two_effects_share_an_id(publish):
    causes = [
        Cause.of(DELIVERY),
        Cause.of(replace(DELIVERY, message=command("m2"))),
        Cause.of(replace(DELIVERY, publisher="console")),  # its own `m1`
    ]

    ids = [
        message.message_id
        for cause in causes
        for key in ("", "copy-1", "copy-2")
        for message in publish(cause).messages([CANCEL, OTHER], key)
    ]

    assert len(set(ids)) == len(ids) == 18
