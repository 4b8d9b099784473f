"""What `make bench` measures: each suite prints what it compared, and returns its figures."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from statistics import median

from tests.bench import queues
from tests.bench.pipeline import BAD, Pipeline
from tests.bench.report import Figure, Target, middle, say
from tests.bench.stand import Size, Stand
from tests.e2e.deployment import SERVICES, deployment
from tests.e2e.microsoft import microsoft
from tests.e2e.site import Networks, site
from tests.e2e.tenant import write_configuration, write_seed

#: Alone, each service has the servers and all processors for itself; together, none may lose more
#: to the others than it gains by working beside them.
_SUM = Target(">=", 0.8)
#: Four services share the processors that the slowest has alone.
_SLOWEST = Target(">=", 0.3)
#: Of all messages, sent before anything is timed.
_WARM_UP = 5
#: A frozen service must not be taken for a dead one.
_HEARTBEAT_SECONDS = 60

Suite = Callable[[Stand, Size], Sequence[Figure]]


def pipeline(stand: Stand, size: Size) -> Sequence[Figure]:
    """End to end against the sum of the services' own times, each alone on the same messages."""
    apart: list[Mapping[str, float]] = []
    together: list[float] = []
    queueing: list[float] = []
    with _running(stand, size) as running:
        for _ in range(size.rounds):
            batch = running.batch(size.messages)
            apart.append(running.apart(batch))
            together.append(running.together(running.batch(size.messages)))
            queueing.append(queues.through_rabbitmq(stand, batch.records))
    return _compared(size, apart, together, queueing)


def _compared(
    size: Size,
    apart: Sequence[Mapping[str, float]],
    together: Sequence[float],
    queueing: Sequence[float],
) -> Sequence[Figure]:
    """Say what was measured, and judge the whole by its parts."""

    def rates(seconds: Iterable[float]) -> list[float]:
        return [size.messages / each for each in seconds]

    _say(size)
    for service in SERVICES:
        say(middle(f"{service} alone", rates(each[service] for each in apart), "messages/s"))
    say(middle("all their messages through RabbitMQ alone", rates(queueing), "messages/s"))
    sums, whole = rates(sum(each.values()) for each in apart), rates(together)
    say(middle("one service after the other", sums, "messages/s"))
    say(middle("all at once", whole, "messages/s"))
    parts = [(sum(each.values()), max(each.values())) for each in apart]
    by_round = list(zip(parts, together, strict=True))
    of_sum = [all_alone / seconds for (all_alone, _), seconds in by_round]
    of_slowest = [longest / seconds for (_, longest), seconds in by_round]
    return [
        Figure("pipeline", median(whole), "messages/s"),
        Figure("pipeline_of_sum_of_parts", median(of_sum), "ratio", _SUM),
        Figure("pipeline_of_slowest_part", median(of_slowest), "ratio", _SLOWEST),
    ]


def one_service(service: str) -> Suite:
    """Return the suite of one service: alone, on what those before it have published."""

    def suite(stand: Stand, size: Size) -> Sequence[Figure]:
        with _running(stand, size) as running:
            measured = [
                running.apart(running.batch(size.messages))[service] for _ in range(size.rounds)
            ]
        rates = [size.messages / each for each in measured]
        _say(size)
        say(middle(f"{service} alone", rates, "messages/s"))
        return [Figure(f"{service}_alone", median(rates), "messages/s")]

    return suite


SUITES: Mapping[str, Suite] = {
    "broker": queues.measure,
    **{service: one_service(service) for service in SERVICES},
    "pipeline": pipeline,
}


@contextmanager
def _running(stand: Stand, size: Size) -> Iterator[Pipeline]:
    """Run the four services as processes on RabbitMQ, warmed up."""
    ground = stand.ground
    home = ground.place / f"deployment-{secrets.token_hex(4)}"
    home.mkdir(mode=0o711)
    configuration = write_configuration(home)
    resolver = {"CLASSIFIER_NAMESERVERS": f'["{ground.nameserver}"]'}
    with (
        microsoft(ground.programs, home, write_seed(home)) as mailboxes,
        site(ground.programs, configuration, ground.postgres, stand.rabbitmq, Networks()) as place,
        deployment(
            replace(place, heartbeat_seconds=_HEARTBEAT_SECONDS), {**resolver, **mailboxes.settings}
        ) as deployed,
    ):
        place.build()
        deployed.start()
        running = Pipeline(deployed, mailboxes)
        try:
            running.together(running.batch(max(BAD, size.messages // _WARM_UP)))
            yield running
        finally:
            running.close()


def _say(size: Size) -> None:
    say(
        f"  {size.messages} reports a round, every {BAD}th bad; four processes on RabbitMQ, Graph "
        "simulated; data in memory where /dev/shm allows, without fsync"
    )
