"""undeliver as several processes, each with its own environment, as pods have."""

import asyncio
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import httpx

from libs.common.broker.port import DeadLettered
from tests.e2e.installation import free_port
from tests.e2e.programs import Ended, Program, environment
from tests.e2e.record import Recorded, read_dead_letters, read_record
from tests.e2e.site import SERVICES, Site
from tests.e2e.waiting import until

_KEEP_MAIL = ("ingest", "classifier")


class Replica:
    """One process of a service; its ports are its own, whenever it runs."""

    def __init__(self, site: Site, service: str, settings: Mapping[str, str]) -> None:
        self.service = service
        self.http_port, self.smtp_port = free_port(), free_port()
        self._programs = site.programs
        self._words = (service, "run")
        ports = {f"{service.upper()}_HTTP_PORT": str(self.http_port)}
        if service == "ingest":
            ports["INGEST_SMTP_PORT"] = str(self.smtp_port)
        self._env = environment(UNDELIVER_CONFIG=str(site.configuration), **settings, **ports)
        self._program: Program | None = None

    @property
    def program(self) -> Program:
        """The process that runs, or ran last."""
        assert self._program is not None
        return self._program

    @property
    def is_running(self) -> bool:
        return self._program is not None and self._program.code is None

    def begin(self) -> None:
        """Start it, and wait for nothing."""
        self._program = self._programs.start(*self._words, env=self._env)

    def checks(self) -> Mapping[str, str] | None:
        """Return what its readiness probe says of each check; None where nobody answers."""
        with suppress(httpx.HTTPError):
            return dict(self.get("/readyz").json()["checks"])
        return None

    def is_ready(self) -> bool:
        assert self.program.code is None, self.program.story()
        with suppress(httpx.HTTPError):
            return self.get("/readyz").status_code == 200
        return False

    def get(self, path: str) -> httpx.Response:
        """Ask its probes."""
        return httpx.get(f"http://127.0.0.1:{self.http_port}{path}", timeout=10)

    def kill(self) -> None:
        """End it as a machine does that runs out of memory."""
        self.program.kill()


class Deployment:
    """The processes of all services, on servers that somebody else runs."""

    def __init__(self, site: Site, replicas: Sequence[Replica]) -> None:
        self.replicas = replicas
        self._programs = site.programs
        self._people = site.addresses("cli")

    def of(self, service: str) -> Replica:
        """Return the first process of a service."""
        return next(each for each in self.replicas if each.service == service)

    @property
    def smtp_ports(self) -> list[int]:
        return [each.smtp_port for each in self.replicas if each.service == "ingest"]

    def begin(self) -> None:
        """Start all, and wait for nothing."""
        for replica in self.replicas:
            replica.begin()

    def await_ready(self) -> None:
        """Wait until every process is ready."""
        for replica in self.replicas:
            until(replica.is_ready, f"{replica.service} to be ready")

    def start(self) -> None:
        """Start all, and wait until they are ready."""
        self.begin()
        self.await_ready()

    def run(self, *words: str) -> Ended:
        """Run a person's command."""
        return self._programs.run(*words, env=environment(**self._people.settings("CLI")))

    def recorded(self, *types: str, chain: str | None = None) -> list[Recorded]:
        """Return the record of all tenants or of one chain, or what it holds of some types."""
        everything = asyncio.run(read_record(self._people.postgres_dsn, chain))
        return [each for each in everything if not types or each.type in types]

    def dead_letters(self) -> Sequence[DeadLettered]:
        """Return what was given up on."""
        return asyncio.run(read_dead_letters(self._people.broker()))

    def end(self) -> list[Ended]:
        """End all at once, as a cluster that is shut down does, and return what they left."""
        running = [each.program for each in self.replicas if each.is_running]
        for program in running:
            program.signal(signal.SIGTERM)
        return [program.wait() for program in running]


@contextmanager
def deployment(
    site: Site, settings: Mapping[str, str], *, replicas: int = 1
) -> Iterator[Deployment]:
    """Give processes that have not been started yet; whatever runs at the end is ended."""
    made = [
        Replica(site, service, _settings_of(service, site, settings))
        for service in SERVICES
        for _ in range(replicas)
    ]
    deployed = Deployment(site, made)
    try:
        yield deployed
    finally:
        deployed.end()


def _settings_of(service: str, site: Site, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of one service: its own addresses, and nobody else's knobs."""
    prefix = service.upper()
    own = {name: value for name, value in settings.items() if name.startswith(f"{prefix}_")}
    if service in _KEEP_MAIL:
        own[f"{prefix}_BLOB_URL"] = site.blobs.as_uri()
    return own | site.addresses(service).settings(prefix)
