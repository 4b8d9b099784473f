"""Publishes what the workers have written into the outbox."""

from datetime import timedelta

import structlog

from libs.common.errors import PermanentError, TransientError
from services.retractor.workers.bench import Bench

_log = structlog.get_logger()

_AT_ONCE = 500
#: Longer than any redelivery or replay takes to come.
_KEPT = timedelta(days=31)
_FORGET_EVERY_SECONDS = 3600.0


async def announce(bench: Bench) -> None:
    """Publish announcements until cancelled, in the order in which they were written."""
    while True:
        try:
            while await announce_some(bench):
                pass
        except TransientError as error:
            _log.warning("announcements_not_published", reason=error.reason)
        await bench.outbox_bell.wait()


async def announce_some(bench: Bench) -> int:
    """Publish the oldest announcements and mark them; return how many.

    At least once: a crash between the two publishes them again, under the same ids.

    Raises:
        TransientError: see `Publisher.publish` and `Outbox`.
    """
    async with bench.outbox.batch(_AT_ONCE) as waiting:
        if waiting:
            try:
                await bench.publisher.publish(waiting)
            except PermanentError as error:
                # We may not say so: a fault of configuration. Nothing is lost, it stays here.
                raise TransientError(error.reason) from error
        return len(waiting)


async def forget(bench: Bench) -> None:
    """Keep outbox, inbox and counters from growing for ever."""
    while True:
        try:
            await bench.outbox.forget(bench.clock.now() - _KEPT)
        except TransientError as error:
            _log.warning("announcements_not_pruned", reason=error.reason)
        await bench.clock.sleep(_FORGET_EVERY_SECONDS)


async def tick(bench: Bench) -> None:
    """Ring both bells now and then, for work and announcements that nobody rang for."""
    while True:
        await bench.clock.sleep(bench.pace.poll_seconds)
        bench.work_bell.ring()
        bench.outbox_bell.ring()
