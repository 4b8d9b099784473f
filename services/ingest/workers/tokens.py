"""Remembers the tokens of each configuration that comes into force, mail or no mail."""

from collections.abc import Awaitable, Callable

import structlog

from libs.common.clock import Clock
from libs.common.errors import TransientError
from libs.common.tenants.current import CurrentConfiguration

_AGAIN_SECONDS = 5.0

_log = structlog.get_logger()


async def remember_tokens(
    remember: Callable[[], Awaitable[object]], configuration: CurrentConfiguration, clock: Clock
) -> None:
    """Call `remember` for every configuration until cancelled; again while it fails.

    Meanwhile recipients are told to come again; the reason is said once.
    """
    edition, is_failing = configuration.edition, False
    while True:
        try:
            await remember()
        except TransientError as error:
            if not is_failing:
                _log.warning("tokens_not_remembered", reason=error.reason, detail=error.detail)
            is_failing = True
            await clock.sleep(_AGAIN_SECONDS)
        else:
            is_failing = False
            edition = await edition.successor()
