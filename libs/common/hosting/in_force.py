"""Says on the exchange which configuration a service goes by, so that the record holds it."""

from uuid import UUID, uuid5

import structlog

from libs.common.broker.port import Publisher
from libs.common.broker.publishing import Cause, CausedPublish
from libs.common.clock import Clock
from libs.common.contracts.operation import ConfigChanged
from libs.common.errors import PermanentError, TransientError
from libs.common.tenants.current import CurrentConfiguration, Edition, Origin

_PAUSE_SECONDS = 5.0
#: A right that is missing is given by somebody.
_REFUSED_PAUSE_SECONDS = 60.0
_IDS = UUID("8f0f3c55-6a0d-4a8e-9a3e-0c6f0f8f8e41")

_log = structlog.get_logger()


async def announce_configuration(
    current: CurrentConfiguration, publisher: Publisher, service: str, clock: Clock
) -> None:
    """Publish `config.changed.v1` for the configuration in force and each that follows it.

    At every start, too: the id is a function of the body, so what was said before is recognised.
    Waits for the broker, and for the right to say so. What nobody wrote down is not announced.
    """
    edition = current.edition
    while True:
        if edition.origin is not None:
            await _announce(edition, edition.origin, publisher, service, clock)
        edition = await edition.successor()


async def _announce(
    edition: Edition, origin: Origin, publisher: Publisher, service: str, clock: Clock
) -> None:
    contract = ConfigChanged(
        tenant=None,
        version=edition.configuration.version,
        changed_by=origin.changed_by,
        changed_at=origin.changed_at,
    )
    known_as = str(uuid5(_IDS, f"{service}\n{contract.body().decode()}"))
    cause = Cause(known_as, known_as, service, clock.now(), is_message=False)
    publish = CausedPublish(publisher, cause, clock=clock, app_id=service)
    said: str | None = None
    while True:
        try:
            return await publish(contract)
        except (TransientError, PermanentError) as error:
            if error.reason != said:
                _complain(error)
            said = error.reason
            is_refused = isinstance(error, PermanentError)
            await clock.sleep(_REFUSED_PAUSE_SECONDS if is_refused else _PAUSE_SECONDS)


def _complain(error: TransientError | PermanentError) -> None:
    if isinstance(error, PermanentError):
        _log.error("configuration_announcement_refused", reason=error.reason)
    else:
        _log.warning("configuration_announcement_delayed", reason=error.reason)
