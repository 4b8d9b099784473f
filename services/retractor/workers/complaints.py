"""What goes wrong again and again is said once a minute, not once per copy."""

from dataclasses import dataclass, field

from libs.common.clock import Clock

_QUIET_SECONDS = 60.0


@dataclass(slots=True)
class Complaints:
    """Remembers what has been said. As many entries as there are tenants and reasons: few."""

    clock: Clock
    #: When (monotonic) each may be said again.
    _quiet_until: dict[tuple[str, str], float] = field(default_factory=dict)

    def is_due(self, tenant: str, reason: str) -> bool:
        """Return whether to say it now; whoever asks and hears yes says it."""
        now = self.clock.monotonic()
        if now < self._quiet_until.get((tenant, reason), now):
            return False
        self._quiet_until[tenant, reason] = now + _QUIET_SECONDS
        return True
