import asyncio
from collections.abc import AsyncIterator

import pytest

from libs.graph_simulator.graph.failures import Effect, Rule
from libs.graph_simulator.graph.latency import Delays
from libs.graph_simulator.options import Latency, Options, Throttling
from libs.graph_simulator.server import Simulator, serve
from tests.fakes.clock import FakeClock
from tests.graph_simulator.client import Graph, error_of
from tests.graph_simulator.samples import ALICE, BOB, seed

MESSAGES = f"users/{BOB}/messages"


@pytest.fixture
async def simulator(options: Options, identity, clock: FakeClock) -> AsyncIterator[Simulator]:
    """A simulator on the test's own clock."""
    async with serve(seed(options), identity=identity, clock=clock) as running:
        yield running


async def until_asleep(clock: FakeClock, count: int) -> None:
    while clock.sleepers < count:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("options", [Options(latency=Latency(median_ms=1000))])
async def test_a_mailbox_takes_four_calls_at_once_and_refuses_the_fifth(
    graph: Graph, clock: FakeClock, simulator: Simulator
):
    async with asyncio.TaskGroup() as group:
        four = [group.create_task(graph.get(MESSAGES)) for _ in range(4)]
        await until_asleep(clock, 4)
        fifth = await graph.get(MESSAGES)
        other = group.create_task(graph.get(f"users/{ALICE}/messages"))
        await until_asleep(clock, 5)
        await clock.advance(2)

    assert error_of(fifth) == (
        429,
        "ApplicationThrottled",
        "Application is over its MailboxConcurrency limit.",
    )
    assert fifth.headers["retry-after"] == "1"
    assert {one.result().status_code for one in four} == {200}
    assert other.result().status_code == 200
    assert simulator.admin.statistics()["highest_concurrency"] == {ALICE: 1, BOB: 5}


@pytest.mark.parametrize(
    "options",
    [Options(throttling=Throttling(mailbox_requests=2, mailbox_window_seconds=600))],
)
async def test_requests_over_the_window_s_limit_wait_until_it_has_passed(
    graph: Graph, clock: FakeClock
):
    await graph.get(MESSAGES)
    await clock.advance(100)
    await graph.get(MESSAGES)
    refused = await graph.get(MESSAGES)
    other = await graph.get(f"users/{ALICE}/messages")
    await clock.advance(601)
    later = await graph.get(MESSAGES)

    assert error_of(refused)[2] == "Application is over its Request limit."
    assert refused.headers["retry-after"] == "501"
    assert (other.status_code, later.status_code) == (200, 200)


@pytest.mark.parametrize(
    "options",
    [Options(throttling=Throttling(mailbox_requests=2, mailbox_window_seconds=10))],
)
async def test_refused_calls_count_too(graph: Graph, clock: FakeClock):
    for _ in range(6):
        await graph.get(MESSAGES)
        await clock.advance(4)

    assert (await graph.get(MESSAGES)).status_code == 429


@pytest.mark.parametrize(
    "options",
    [Options(throttling=Throttling(upload_bytes=50, upload_window_seconds=300))],
)
async def test_uploads_are_limited(graph: Graph):
    body = {"destinationId": "junkemail", "padding": "x" * 50}

    answer = await graph.call("POST", f"{MESSAGES}/x/move", json=body)

    assert error_of(answer)[2] == "Application is over its IncomingBytes limit."


@pytest.mark.parametrize(
    "options",
    [Options(throttling=Throttling(global_requests=2, global_window_seconds=10))],
)
async def test_the_limit_over_everything_has_a_fraction(graph: Graph, clock: FakeClock):
    await graph.get(MESSAGES)
    await clock.advance(2.5)
    await graph.get("users")
    refused = await graph.get(f"users/{ALICE}/messages")

    assert error_of(refused) == (429, "TooManyRequests", "Please retry again later.")
    assert refused.json()["error"]["innerError"]["code"] == "429"
    assert refused.headers["retry-after"] == "7.500"


async def test_calls_before_the_time_that_was_told_are_counted(
    graph: Graph, clock: FakeClock, simulator: Simulator
):
    simulator.admin.add_rule(Rule(effect=Effect(status=429, retry_after="30")))
    await graph.get(MESSAGES)
    await clock.advance(10)
    await graph.get(f"users/{ALICE}/messages")
    await graph.get(MESSAGES)
    await clock.advance(21)
    await graph.get(MESSAGES)

    statistics = simulator.admin.statistics()
    assert statistics["early_retries"] == 1
    assert statistics["early_retry_examples"] == [
        {"mailbox": BOB, "seconds_early": 20.0, "seconds_after_refusal": 10.0}
    ]


async def test_limits_can_be_changed_while_it_runs(graph: Graph, simulator: Simulator):
    simulator.admin.set_throttling(Throttling(mailbox_requests=1))
    await graph.get(MESSAGES)
    refused = await graph.get(MESSAGES)
    simulator.admin.set_throttling(Throttling())

    assert refused.status_code == 429
    assert (await graph.get(MESSAGES)).status_code == 200


@pytest.mark.parametrize(
    "options",
    [Options(latency=Latency(median_ms=100, operations_ms={"list_users": 900}))],
)
async def test_each_operation_takes_its_own_time(graph: Graph, clock: FakeClock):
    async with asyncio.TaskGroup() as group:
        users = group.create_task(graph.get("users"))
        messages = group.create_task(graph.get(MESSAGES))
        await until_asleep(clock, 2)
        await clock.advance(0.2)
        await messages
        assert not users.done()
        await clock.advance(1)

    assert users.result().status_code == 200


def test_times_scatter_around_the_median_and_repeat_with_the_seed():
    import random

    def draw(seed_number: int) -> list[float]:
        latency = Latency(median_ms=150, sigma=0.33, cap_ms=400)
        delays = Delays(FakeClock(), random.Random(seed_number), latency)
        return [delays.draw_seconds("move") for _ in range(2000)]

    times = sorted(draw(1))

    assert draw(1) == draw(1) != draw(2)
    assert 0.14 < times[1000] < 0.16
    assert 0.08 < times[100] < times[1900] < 0.27
    assert times[-1] <= 0.4
