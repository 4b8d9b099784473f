"""What the record is told of the configuration in force."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from libs.common.authority import Authority
from libs.common.broker.decoding import decode
from libs.common.contracts import CONTRACTS
from libs.common.errors import PermanentError
from libs.common.hosting.in_force import announce_configuration
from libs.common.tenants.current import CurrentConfiguration, Origin
from tests.common.deliveries import CONFIGURATION, RECORD, TOPOLOGY
from tests.fakes.broker import Exchange, MemoryBroker

ORIGIN = Origin("file:/etc/undeliver/undeliver.yaml", datetime(2026, 1, 5, 9, 0, tzinfo=UTC))
LATER = Origin(ORIGIN.changed_by, datetime(2026, 1, 5, 10, 0, tzinfo=UTC))
OTHER = CONFIGURATION.model_copy(update={"publishers": ()})


class RefusingBroker(MemoryBroker):
    """A broker that lets nobody publish, until somebody gives the right."""

    refuses = True

    async def publish(self, messages) -> None:
        if self.refuses:
            raise PermanentError("publish_refused")
        await super().publish(messages)


class Announcer:
    """One service, and what it has said."""

    def __init__(self, clock) -> None:
        self.clock = clock
        self.exchange = Exchange(clock, TOPOLOGY)
        self.broker = MemoryBroker(self.exchange, "retractor")

    @asynccontextmanager
    async def runs(self, current, service="retractor"):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(
                announce_configuration(current, self.broker, service, self.clock)
            )
            await self.clock.advance(0)
            yield
            task.cancel()

    def said(self):
        return [entry.message for entry in self.exchange.entries if entry.queue == RECORD]

    def contracts(self):
        return [decode(message, CONTRACTS) for message in self.said()]


@pytest.fixture
def announcer(clock):
    return Announcer(clock)


async def test_each_configuration_is_announced_when_it_comes_into_force(announcer):
    current = CurrentConfiguration(CONFIGURATION, ORIGIN)
    async with announcer.runs(current):
        current.replace(OTHER, LATER)
        await announcer.clock.advance(0)

    first, second = announcer.contracts()
    assert (first.version, first.changed_at) == (CONFIGURATION.version, ORIGIN.changed_at)
    assert (second.version, second.changed_at) == (OTHER.version, LATER.changed_at)
    assert second.changed_by == ORIGIN.changed_by
    assert {message.tenant for message in announcer.said()} == {None}


async def test_a_restart_repeats_itself_and_another_service_does_not(announcer):
    for service in ("retractor", "retractor", "audit"):
        async with announcer.runs(CurrentConfiguration(CONFIGURATION, ORIGIN), service):
            pass
        await announcer.clock.advance(60)

    first, again, other = announcer.said()
    assert (first.message_id, first.body) == (again.message_id, again.body)
    assert other.message_id != first.message_id
    assert other.body == first.body


async def test_the_same_content_at_another_time_is_another_change(announcer):
    for origin in (ORIGIN, LATER):
        async with announcer.runs(CurrentConfiguration(CONFIGURATION, origin)):
            pass

    first, second = announcer.said()
    assert first.message_id != second.message_id


async def test_it_waits_for_the_broker_and_leaves_nothing_out(announcer):
    announcer.broker.failures = 3
    current = CurrentConfiguration(CONFIGURATION, ORIGIN)
    with capture_logs() as logs:
        async with announcer.runs(current):
            current.replace(OTHER, LATER)
            await announcer.clock.advance(60)

    assert [each.version for each in announcer.contracts()] == [
        CONFIGURATION.version,
        OTHER.version,
    ]
    assert [each["event"] for each in logs] == ["configuration_announcement_delayed"]


async def test_what_it_may_not_say_it_says_once_it_may(announcer):
    announcer.broker = RefusingBroker(announcer.exchange, "retractor")
    with capture_logs() as logs:
        async with announcer.runs(CurrentConfiguration(CONFIGURATION, ORIGIN)):
            await announcer.clock.advance(180)
            announcer.broker.refuses = False
            await announcer.clock.advance(60)

    assert [each.version for each in announcer.contracts()] == [CONFIGURATION.version]
    assert [(each["event"], each["log_level"]) for each in logs] == [
        ("configuration_announcement_refused", "error")
    ]


async def test_what_nobody_wrote_down_is_not_announced(announcer):
    async with announcer.runs(CurrentConfiguration(CONFIGURATION)):
        pass

    assert announcer.said() == []


@pytest.mark.parametrize("service", ["ingest", "classifier", "retractor", "audit"])
def test_every_service_may_say_so(service):
    refusal = Authority.of(CONFIGURATION).refusal(service, "config.changed.v1", None)

    assert refusal is None
