"""Runs one service in a process of its own, as in a pod."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol, TypeVar

from libs.common import logs
from libs.common.broker.beside import beside
from libs.common.broker.opening import BrokerAddress
from libs.common.clock import Clock, SystemClock
from libs.common.errors import (
    ConfigurationError,
    PermanentError,
    TransientError,
    UndeliverError,
)
from libs.common.hosting.ground import BLOBS, BROKER, DATABASE, Ground
from libs.common.hosting.start import Start
from libs.common.probes import ProbeServer, serve_probes
from libs.common.readiness import Check
from libs.common.runtime import leaves, run
from libs.common.settings import ServiceSettings, read_settings
from libs.common.tenants.watching import WatchedFile

S = TypeVar("S", bound=ServiceSettings)


class Part(Protocol):
    """A service, ready to run."""

    @property
    def run(self) -> Callable[[], Awaitable[None]]:
        """Its loops, until cancelled."""

    @property
    def checks(self) -> Mapping[str, Check]:
        """What its readiness depends on."""


#: Opens what it needs of the ground and composes the service on it.
Compose = Callable[[Ground], AbstractAsyncContextManager[Part]]


def run_service(
    kind: type[S], serve: Callable[[S], Coroutine[object, object, None]], config: Path | None
) -> int:
    """Run a service until it is told to stop, and return the exit code.

    `config` goes before `UNDELIVER_CONFIG`.
    """

    async def main() -> None:
        settings = read_settings(kind)
        logs.configure(settings.log_level)
        await serve(settings.model_copy(update={"config": config or settings.config}))

    return run(main)


async def host(
    service: str, settings: ServiceSettings, compose: Compose, *, clock: Clock | None = None
) -> None:
    """Run a service until cancelled; whatever may yet come is waited for.

    Probes answer from the beginning. /readyz names what is waited for, then what the service's own
    checks say: a broker, database or blob store that is lost later is waited for by the loops.

    Raises:
        ConfigurationError: the configuration is missing or wrong, or the broker's user is not ours.
        StartError: a port or folder cannot be used.
    """
    clock = clock or SystemClock()
    address = _address(service, settings)
    file = WatchedFile.load(settings.config)
    start = Start(service, _steps(settings), clock)
    dsn = settings.postgres_dsn.get_secret_value()
    ground = Ground(file.current, clock, service, address, dsn, start)
    async with (
        serve_probes(start.checks, host=settings.http_host, port=settings.http_port) as probes,
        beside(file.watch(clock)),
    ):
        while True:
            try:
                return await _attempt(ground, start, compose, probes)
            except (UndeliverError, ExceptionGroup) as error:
                await start.pause(_passing(error))


async def _attempt(ground: Ground, start: Start, compose: Compose, probes: ProbeServer) -> None:
    """Open everything and run; whatever ends it leaves nothing open."""
    async with compose(ground) as part, probes.readiness.asking(part.checks):
        start.succeeded()
        await part.run()


def _steps(settings: ServiceSettings) -> tuple[str, ...]:
    return (BROKER, DATABASE) if settings.blob_url is None else (BLOBS, BROKER, DATABASE)


def _passing(error: Exception) -> UndeliverError:
    """Return what may pass by itself; raises what will not, and what a stop has brought about."""
    task = asyncio.current_task()
    found = list(leaves(error))
    if task is None or task.cancelling():
        raise error
    for each in found:
        if not isinstance(each, TransientError | PermanentError):
            raise error
    first = found[0]
    assert isinstance(first, UndeliverError)  # noqa: S101 - all are
    return first


def _address(service: str, settings: ServiceSettings) -> BrokerAddress:
    """Return where to publish, as the service itself: the broker's user is the publisher.

    Raises:
        ConfigurationError: the user is another.
    """
    url = settings.amqp_url.get_secret_value() if settings.amqp_url else None
    address = BrokerAddress(postgres_dsn=settings.postgres_dsn.get_secret_value(), amqp_url=url)
    if url is not None and address.publisher != service:
        raise ConfigurationError(
            f"{service.upper()}_AMQP_URL: its user must be {service}, since the user is the "
            f"publisher; write amqp://{service}:password@host/vhost"
        )
    return address
