"""The servers that benchmarks run on, the same that tests find or make."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from services.demo.resolver import serve_dns
from tests.bench.report import say
from tests.e2e.background import Background, background
from tests.e2e.programs import Programs
from tests.e2e.scene import Ground
from tests.e2e.servers import own_postgres
from tests.services.places import open_place
from tests.services.postgres import programs_under_test
from tests.services.rabbitmq import choose_rabbitmq
from tests.services.vhosts import RabbitServer


@dataclass(frozen=True)
class Size:
    """How much is measured, and how often."""

    messages: int
    rounds: int


FULL = Size(messages=400, rounds=5)
#: Enough to see that a benchmark still works; its figures mean nothing.
TINY = Size(messages=10, rounds=1)


@dataclass(frozen=True)
class Stand:
    """What deployments stand on, and a broker."""

    ground: Ground
    rabbitmq: RabbitServer


@contextmanager
def stand() -> Iterator[Stand]:
    """Start the servers that `TEST_SERVICES` names, or the first that are found, and say which."""
    chosen = choose_rabbitmq()
    say(f"{chosen.headline()}\npostgres: {programs_under_test().version}, private")
    if chosen.offer is None:
        raise SystemExit("no benchmark without RabbitMQ")
    with (
        background() as beside,
        beside.holding(chosen.offer.start()) as rabbitmq,
        on(beside, rabbitmq) as ready,
    ):
        yield ready


@contextmanager
def on(beside: Background, rabbitmq: RabbitServer) -> Iterator[Stand]:
    """Give a stand on a broker that runs already."""
    with (
        open_place() as place,
        beside.holding(serve_dns({})) as port,
        beside.holding(own_postgres(place / "postgres")) as postgres,
    ):
        logs = place / "logs"
        logs.mkdir()
        programs = Programs(logs)
        ground = Ground(programs, place, f"127.0.0.1:{port}", beside, postgres)
        try:
            yield Stand(ground, rabbitmq)
        finally:
            programs.end_all()
