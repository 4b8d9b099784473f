"""Programs, places for their data, and a DNS server that knows nothing."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from services.demo.resolver import serve_dns
from tests.e2e.background import Background, background
from tests.e2e.balance import Counts
from tests.e2e.programs import Programs, processes_about
from tests.e2e.scene import Ground, Scene, scene
from tests.e2e.servers import OwnPostgres, own_postgres, own_rabbitmq
from tests.e2e.site import Networks
from tests.faults.proxy import network_before
from tests.services.choice import UnavailableError
from tests.services.places import open_place
from tests.services.rabbitmq import server_of
from tests.services.vhosts import RabbitServer

_PROGRAMS = pytest.StashKey[Programs]()
#: Of Graph: so that deaths meet moves on their way.
_LATENCY_MS = 60.0
_COUNTS = "counts"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Tell, where a test failed, what the programs said."""
    report = yield
    programs = item.config.stash.get(_PROGRAMS, None)
    if report.failed and programs is not None:
        report.sections.extend(programs.stories())
    return report


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """Give a folder for the data of all programs."""
    with open_place() as folder:
        yield folder


@pytest.fixture(scope="session")
def programs(place: Path, request: pytest.FixtureRequest) -> Iterator[Programs]:
    """Give what starts programs; none outlives the session."""
    folder = place / "logs"
    folder.mkdir()
    programs = request.config.stash[_PROGRAMS] = Programs(folder)
    yield programs
    programs.end_all()


@pytest.fixture(scope="session")
def beside() -> Iterator[Background]:
    """Give an event loop for servers of this process."""
    with background() as loop:
        yield loop


@pytest.fixture(scope="session")
def nameserver(beside: Background) -> Iterator[str]:
    """Give a DNS server for which no name exists, so that no test asks the world's."""
    with beside.holding(serve_dns({})) as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="session")
def postgres(place: Path, beside: Background) -> Iterator[OwnPostgres]:
    """Give a database server that tests may kill."""
    with beside.holding(own_postgres(place / "postgres")) as server:
        yield server


@pytest.fixture(scope="session")
def rabbit(place: Path, beside: Background) -> Iterator[RabbitServer]:
    """Give a broker that tests may kill: `node` is there."""
    with ExitStack() as held:
        try:
            node = held.enter_context(beside.holding(own_rabbitmq(place / "rabbitmq")))
        except UnavailableError as error:
            # A green run must have run.
            if os.environ.get("CI", "").lower() == "true" or os.environ.get("TEST_SERVICES"):
                pytest.fail(f"no programs of RabbitMQ: {error}", pytrace=False)
            pytest.skip(f"no programs of RabbitMQ: {error}")
        yield server_of(node)


@pytest.fixture(scope="session")
def ground(
    programs: Programs, place: Path, nameserver: str, beside: Background, postgres: OwnPostgres
) -> Ground:
    """Give what all deployments stand on."""
    return Ground(programs, place, nameserver, beside, postgres)


@pytest.fixture(scope="session")
def stage(ground: Ground, rabbit: RabbitServer) -> Iterator[Scene]:
    """Give four services on RabbitMQ that may be hurt, as all around them; they end well."""
    with ExitStack() as held:
        enter = held.enter_context
        networks = Networks(
            rabbitmq=enter(network_before(rabbit.admin_url())),
            postgres=enter(network_before(ground.postgres.superuser_dsn)),
        )
        # Less than it takes to miss a frozen service's heartbeat.
        patience = {"RETRACTOR_LEASE_SECONDS": "3", "INGEST_PUBLISH_SECONDS": "3"}
        hurt = scene(
            ground, "hurt", rabbit, settings=patience, latency_ms=_LATENCY_MS, networks=networks
        )
        set_up = enter(hurt)
        set_up.start()
        yield set_up
        assert {ended.code for ended in set_up.undeliver.end()} == {0}
        assert processes_about(set_up.site.configuration) == {}


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[Counts], None]:
    """Put a test's counts into the summary of the session."""
    properties = request.node.user_properties
    return lambda counts: properties.append((_COUNTS, f"{request.node.name} {counts}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was counted while something was killed, frozen or cut off."""
    lines = [
        str(line)
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        if report.when == "call"
        for name, line in report.user_properties
        if name == _COUNTS
    ]
    if lines:
        terminalreporter.section("what went in and what came out")
        for line in lines:
            terminalreporter.write_line(line)
