"""Wiring: the four services on one foundation."""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from libs.common.broker.beside import beside
from libs.common.broker.port import Broker
from libs.common.clock import Clock
from libs.common.hosting.in_force import announce_configuration
from libs.common.probes import serve_probes
from libs.common.readiness import Check
from libs.common.runtime import run_together
from libs.common.settings import read_settings
from libs.common.tenants.current import CurrentConfiguration
from services.audit.app import audit
from services.classifier.app import classifier
from services.classifier.settings import Tuning as ClassifierTuning
from services.embedded.foundation import Foundation, foundation
from services.embedded.settings import Settings
from services.ingest.app import ingest
from services.ingest.settings import Tuning as IngestTuning
from services.retractor.app import retractor
from services.retractor.settings import Tuning as RetractorTuning


@dataclass(frozen=True, slots=True)
class Tunings:
    """What each service is told besides the configuration."""

    ingest: IngestTuning
    classifier: ClassifierTuning
    retractor: RetractorTuning

    @classmethod
    def from_environment(cls) -> "Tunings":
        """Read each service's own variables.

        Raises:
            ConfigurationError: names each variable that is wrong.
        """
        return cls(
            read_settings(IngestTuning),
            read_settings(ClassifierTuning),
            read_settings(RetractorTuning),
        )


class Part(Protocol):
    """What a service gives to whoever composes it."""

    @property
    def run(self) -> Callable[[], Awaitable[None]]:
        """Its loops, until cancelled."""

    @property
    def checks(self) -> Mapping[str, Check]:
        """What its readiness depends on."""


P_co = TypeVar("P_co", bound=Part, covariant=True)


class Compose(Protocol[P_co]):
    """What makes a part: a service's own composition, told all that the others are not."""

    def __call__(
        self, broker: Broker, *, postgres_dsn: str, clock: Clock
    ) -> AbstractAsyncContextManager[P_co]:
        """Make the service's tables and give it, ready to run."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """All services, ready to run."""

    run: Callable[[], Coroutine[None, None, None]]
    foundation: Foundation
    smtp_port: int
    http_port: int


@asynccontextmanager
async def embedded(
    data_folder: Path,
    configuration: CurrentConfiguration,
    settings: Settings,
    tunings: Tunings,
    clock: Clock,
) -> AsyncIterator[Embedded]:
    """Start everything but the loops; whoever composes it lets them run.

    Raises:
        StartError: one sentence that says what is in the way.
        TransientError: the database does not answer.
    """
    async with AsyncExitStack() as held:
        enter = held.enter_async_context
        base = await enter(foundation(data_folder, configuration, clock, binaries=settings.pg_bin))
        # The record first, the door last: what comes in must find everybody at their place.
        parts: dict[str, Part] = {}
        recording = partial(audit, configuration=configuration)
        parts["audit"] = await enter(_part("audit", recording, base))
        # The folder's lock proves that nobody else is at work: what a killed process held is free.
        taking = partial(
            retractor, configuration=configuration, tuning=tunings.retractor, is_alone=True
        )
        parts["retractor"] = await enter(_part("retractor", taking, base))
        judging = partial(
            classifier, configuration=configuration, blobs=base.blobs, tuning=tunings.classifier
        )
        parts["classifier"] = await enter(_part("classifier", judging, base))
        receiving = partial(
            ingest, configuration=configuration, blobs=base.blobs, tuning=tunings.ingest
        )
        parts["ingest"] = door = await enter(_part("ingest", receiving, base))
        probes = await enter(
            serve_probes(_checks(parts), host=settings.http_host, port=settings.http_port)
        )
        loops = {name: part.run for name, part in parts.items()}
        loops |= {"postgres": base.server.supervise, "publishers": base.provide_publishers}
        yield Embedded(
            run=partial(run_together, loops),
            foundation=base,
            smtp_port=door.smtp_port,
            http_port=probes.port,
        )


@asynccontextmanager
async def _part(service: str, compose: Compose[P_co], base: Foundation) -> AsyncIterator[P_co]:
    """Give a service its place on the foundation."""
    async with (
        base.broker(service) as broker,
        beside(announce_configuration(base.configuration, broker, service, base.clock)),
        compose(broker, postgres_dsn=base.dsn(service), clock=base.clock) as part,
    ):
        yield part


def _checks(parts: Mapping[str, Part]) -> dict[str, Check]:
    return {
        f"{service}.{what}": check
        for service, part in parts.items()
        for what, check in part.checks.items()
    }
