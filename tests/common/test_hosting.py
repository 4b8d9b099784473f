"""One service in a process of its own: it waits for what may come, and runs when it is there."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from libs.common.broker.postgres import declare
from libs.common.broker.readiness import check_queues
from libs.common.broker.topology import UNDELIVER
from libs.common.clock import SystemClock
from libs.common.database.pool import check_database, pooled
from libs.common.errors import ConfigurationError, PermanentError, StartError, TransientError
from libs.common.hosting.host import host
from libs.common.hosting.start import Start
from libs.common.runtime import run_together
from libs.common.settings import ServiceSettings
from tests.common.hosted import PATIENCE_SECONDS, becomes
from tests.common.test_watching import FILE
from tests.faults.proxy import network_before
from tests.services.ports import free_ports


@dataclass(frozen=True)
class Part:
    run: Callable[[], Awaitable[None]]
    checks: dict


@dataclass
class Service:
    """The smallest service on real foundations; it can fail where a test wants it to."""

    fails: list[Exception] = field(default_factory=list)
    loop_fails: list[Exception] = field(default_factory=list)
    begun: int = 0
    ended: int = 0

    @asynccontextmanager
    async def on(self, ground):
        async with (
            ground.broker() as broker,
            pooled(await ground.database(), schema="audit") as pool,
        ):
            if self.fails:
                raise self.fails.pop(0)
            yield Part(
                self.run,
                {
                    "queues": partial(check_queues, broker),
                    "database": partial(check_database, pool),
                },
            )

    async def run(self) -> None:
        self.begun += 1
        try:
            await run_together({"fails": self._fail, "waits": asyncio.Event().wait})
        finally:
            self.ended += 1

    async def _fail(self) -> None:
        if self.loop_fails:
            raise self.loop_fails.pop(0)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "undeliver.yaml"
    path.write_text(FILE)
    return path


@pytest.fixture
def settings(config):
    def make(dsn, **more):
        [port] = free_ports(1)
        return ServiceSettings(
            postgres_dsn=SecretStr(dsn), http_port=port, UNDELIVER_CONFIG=config, **more
        )

    return make


@asynccontextmanager
async def hosted(settings, service, name="audit"):
    async with asyncio.TaskGroup() as group:
        task = group.create_task(host(name, settings, service.on, clock=SystemClock()))
        yield task
        task.cancel()


async def test_it_starts_before_its_database_and_runs_once_that_has_come(database, settings):
    await declare(database.superuser_dsn, UNDELIVER)
    service = Service()
    with network_before(database.superuser_dsn) as network, capture_logs() as logs:
        network.refuse()
        given = settings(network.through(database.dsn_for("audit")))
        async with hosted(given, service):
            waiting = await becomes(given.http_port, 503)
            begun = service.begun
            network.resume()
            running = await becomes(given.http_port, 200)

    assert waiting.keys() == {"broker", "database", "service"}
    assert (begun, service.begun) == (0, 1)
    assert running == {"queues": "ok", "database": "ok"}
    said = [each["event"] for each in logs if each["event"].startswith("start_")]
    assert said == ["start_delayed", "start_resumed"]


async def test_what_it_waits_for_is_named(database, settings):
    with network_before(database.superuser_dsn) as network:
        network.refuse()
        given = settings(network.through(database.dsn_for("audit")))
        async with hosted(given, Service()):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (await becomes(given.http_port, 503))["broker"] == "not_tried":
                    pass
            checks = await becomes(given.http_port, 503)

    assert checks == {
        "broker": "broker_unreachable",
        "database": "not_tried",
        "service": "starting",
    }


async def test_what_is_lost_later_makes_it_unready_until_it_comes_back(database, settings):
    await declare(database.superuser_dsn, UNDELIVER)
    service = Service()
    with network_before(database.superuser_dsn) as network:
        given = settings(network.through(database.dsn_for("audit")))
        async with hosted(given, service):
            await becomes(given.http_port, 200)
            network.refuse()
            network.cut()
            lost = await becomes(given.http_port, 503)
            network.resume()
            await becomes(given.http_port, 200)

    assert "database_unreachable" in lost.values() or "broker_unreachable" in lost.values()
    assert service.begun == 1


@pytest.mark.parametrize(
    "failures",
    [
        [TransientError("database_unreachable")],
        [TransientError("database_conflict"), ExceptionGroup("", [TransientError("away")])],
    ],
)
async def test_what_fails_for_now_halfway_is_begun_anew_and_left_closed(
    database, settings, failures
):
    await declare(database.superuser_dsn, UNDELIVER)
    service, given = Service(fails=failures), settings(database.dsn_for("audit"))
    async with hosted(given, service):
        await becomes(given.http_port, 200)

    assert service.fails == []
    assert service.begun == service.ended


@pytest.mark.parametrize("error", [TransientError("away"), PermanentError("refused")])
async def test_a_loop_that_fails_is_begun_anew_with_the_others(database, settings, error):
    await declare(database.superuser_dsn, UNDELIVER)
    service, given = Service(loop_fails=[error]), settings(database.dsn_for("audit"))
    async with hosted(given, service):
        async with asyncio.timeout(PATIENCE_SECONDS):
            while service.begun < 2:
                await becomes(given.http_port, 200)

    assert (service.begun, service.ended) == (2, 2)


async def test_a_bug_ends_it(database, settings):
    await declare(database.superuser_dsn, UNDELIVER)
    given = settings(database.dsn_for("audit"))

    with pytest.raises(ExceptionGroup) as raised:
        async with hosted(given, Service(loop_fails=[KeyError("a bug")])) as task:
            await task

    assert raised.group_contains(KeyError)


async def test_a_taken_port_is_told_before_any_waiting(settings):
    given = settings("postgresql://undeliver_audit@127.0.0.1:1/undeliver")
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", given.http_port):
        with pytest.raises(StartError, match="choose another port"):
            await host("audit", given, Service().on)


@pytest.mark.parametrize("user", ["soar", "undeliver_audit", "Audit"])
async def test_it_speaks_under_its_own_name_alone(settings, user):
    url = SecretStr(f"amqp://{user}:hunter2@rabbit/undeliver")
    given = settings("postgresql:///undeliver", amqp_url=url)

    with pytest.raises(ConfigurationError, match=r"^AUDIT_AMQP_URL: its user must be audit") as no:
        await host("audit", given, Service().on)

    assert "hunter2" not in str(no.value)


async def test_the_configuration_is_checked_before_anything_else(settings, config):
    config.write_text("tenants: []\n")

    with pytest.raises(ConfigurationError, match="service_domain"):
        await host("audit", settings("postgresql:///undeliver"), Service().on)


async def test_the_pauses_grow_to_ten_seconds_and_each_minute_says_that_it_still_waits(clock):
    start, begun = Start("audit", ("database",), clock), []

    async def wait() -> None:
        while True:
            begun.append(clock.monotonic())
            await start.pause(TransientError("database_unreachable"))

    with capture_logs() as logs:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(wait())
            await clock.advance(130)
            task.cancel()
        start.succeeded()

    assert [after - before for before, after in pairwise(begun)][:6] == [
        1,
        2,
        4,
        8,
        10,
        10,
    ]
    assert [(each["event"], each["waited_seconds"]) for each in logs] == [
        ("start_delayed", 0),
        ("start_delayed", 65),
        ("start_delayed", 125),
        ("start_resumed", 130),
    ]


async def test_another_reason_to_wait_is_said_at_once(clock):
    start = Start("audit", (), clock)
    with capture_logs() as logs:
        async with asyncio.TaskGroup() as group:
            for reason in ("broker_unreachable", "database_unreachable"):
                task = group.create_task(start.pause(TransientError(reason)))
                await clock.advance(10)
                await task

    assert [each["reason"] for each in logs] == ["broker_unreachable", "database_unreachable"]


async def test_what_fails_soon_after_each_start_waits_longer_and_longer(clock):
    start, paused = Start("audit", (), clock), []

    async def pause_after(ran_seconds: float) -> None:
        start.succeeded()
        await clock.advance(ran_seconds)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(start.pause(PermanentError("refused")))
            begun = clock.monotonic()
            while not task.done():
                await clock.advance(1)
        paused.append(clock.monotonic() - begun)

    with capture_logs() as logs:
        for ran_seconds in (1, 1, 1, 3600):
            await pause_after(ran_seconds)

    assert paused == [1, 2, 4, 1]
    said = [(each["event"], each["log_level"]) for each in logs]
    assert said[:3] == [
        ("start_delayed", "error"),
        ("start_resumed", "info"),
        ("start_delayed", "error"),
    ]
