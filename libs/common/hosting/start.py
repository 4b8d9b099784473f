"""How far a start has come, and how long it has been waiting for what."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import structlog

from libs.common.clock import Clock
from libs.common.errors import PermanentError, TransientError, UndeliverError
from libs.common.readiness import Check

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 10.0
_SAY_EVERY_SECONDS = 60.0
#: What fails sooner after its start had not really begun: the next pause goes on growing.
_STEADY_SECONDS = 60.0

_OK = "ok"
_NOT_TRIED = "not_tried"
#: What comes last: the service itself, with its tables.
_SERVICE = "service"
_STARTING = "starting"

_log = structlog.get_logger()


class Start:
    """The steps of one service's start; what fails for now is tried again, from the first step."""

    def __init__(self, service: str, steps: tuple[str, ...], clock: Clock) -> None:
        self._service = service
        self._clock = clock
        self._states = {**dict.fromkeys(steps, _NOT_TRIED), _SERVICE: _STARTING}
        #: A step was not taken; else it is the service itself that could not begin.
        self._is_held_up = False
        self._pause_seconds = _FIRST_PAUSE_SECONDS
        self._waits_since: float | None = None
        self._succeeded_at = 0.0
        self._said: tuple[str, float] | None = None

    @property
    def checks(self) -> Mapping[str, Check]:
        """What /readyz asks until the service has checks of its own: a name for each step."""
        return {step: partial(self._check, step) for step in self._states}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Take a step: what it raises is why it has not been taken."""
        try:
            yield
        except UndeliverError as error:
            self._states[name] = error.reason
            self._is_held_up = True
            raise
        self._states[name] = _OK

    async def pause(self, error: UndeliverError) -> None:
        """Wait before the next attempt: 1 s, 2 s … 10 s. Says so at first, then once a minute."""
        now = self._clock.monotonic()
        if self._waits_since is None or (
            self._said is None and now - self._succeeded_at >= _STEADY_SECONDS
        ):
            self._waits_since = now
            self._pause_seconds = _FIRST_PAUSE_SECONDS
        if not self._is_held_up:
            self._states[_SERVICE] = error.reason
        if self._is_due(error.reason, now):
            self._said = (error.reason, now)
            # What is refused passes only when somebody allows it.
            write = _log.error if isinstance(error, PermanentError) else _log.warning
            write(
                "start_delayed",
                service=self._service,
                reason=error.reason,
                detail=error.detail,
                waited_seconds=round(now - self._waits_since),
            )
        await self._clock.sleep(self._pause_seconds)
        self._states[_SERVICE] = _STARTING
        self._is_held_up = False
        self._pause_seconds = min(self._pause_seconds * 2, _LONGEST_PAUSE_SECONDS)

    def succeeded(self) -> None:
        """Everything is there. Once it has lasted, the next wait begins anew."""
        self._succeeded_at = self._clock.monotonic()
        if self._waits_since is not None:
            waited_seconds = round(self._succeeded_at - self._waits_since)
            _log.info("start_resumed", service=self._service, waited_seconds=waited_seconds)
        self._said = None

    def _is_due(self, reason: str, now: float) -> bool:
        if self._said is None:
            return True
        said, at = self._said
        return reason != said or now - at >= _SAY_EVERY_SECONDS

    async def _check(self, step: str) -> None:
        if self._states[step] != _OK:
            raise TransientError(self._states[step])
