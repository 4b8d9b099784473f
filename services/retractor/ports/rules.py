"""The configuration in force, as far as retractions depend on it."""

from typing import Protocol

from libs.common.tenants.model import PublisherRights, Tenant


class Rules(Protocol):
    """Tenants and publishers."""

    def tenant(self, tenant: str) -> Tenant | None:
        """Return a tenant; None where there is none of that name."""

    def rights_of(self, publisher: str) -> PublisherRights | None:
        """Return what a proved publisher may do; None where it may do nothing."""
