"""Wiring: the four services on one foundation."""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from libs.common.clock import Clock
from libs.common.probes import Check, serve_probes
from libs.common.runtime import run_together
from libs.common.settings import read_settings
from libs.common.tenants.model import Configuration
from services.audit.app import audit
from services.classifier.app import classifier
from services.classifier.settings import Tuning as ClassifierTuning
from services.embedded.foundation import Foundation, foundation
from services.embedded.settings import Settings
from services.ingest.app import open_ingest
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
    """What a consuming service gives to whoever composes it."""

    @property
    def run(self) -> Callable[[], Awaitable[None]]:
        """Its loops, until cancelled."""

    @property
    def checks(self) -> Mapping[str, Check]:
        """What its readiness depends on."""


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
    configuration: Configuration,
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
        recorder = await enter(
            audit(
                await enter(base.broker("audit")),
                postgres_dsn=base.dsn("audit"),
                configuration=configuration,
                clock=clock,
            )
        )
        taker = await enter(
            retractor(
                await enter(base.broker("retractor")),
                postgres_dsn=base.dsn("retractor"),
                configuration=configuration,
                clock=clock,
                tuning=tunings.retractor,
            )
        )
        judge = await enter(
            classifier(
                await enter(base.broker("classifier")),
                postgres_dsn=base.dsn("classifier"),
                blobs=base.blobs,
                configuration=configuration,
                clock=clock,
                tuning=tunings.classifier,
            )
        )
        door = await enter(
            open_ingest(
                tunings.ingest,
                configuration,
                postgres_dsn=base.dsn("ingest"),
                broker=await enter(base.broker("ingest")),
                blobs=base.blobs,
                clock=clock,
            )
        )
        parts: dict[str, Part] = {"audit": recorder, "retractor": taker, "classifier": judge}
        checks = {
            f"{name}.{what}": check
            for name, part in parts.items()
            for what, check in part.checks.items()
        } | {"ingest.database": door.report_keys.check, "blobs": base.blobs.check}
        probes = await enter(serve_probes(checks, host=settings.http_host, port=settings.http_port))
        loops = {name: part.run for name, part in parts.items()}
        yield Embedded(
            run=lambda: run_together({**loops, "postgres": base.server.supervise}),
            foundation=base,
            smtp_port=door.smtp_port,
            http_port=probes.port,
        )
