"""What taking in a message needs to know of the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass

from libs.common.tenants.model import Configuration


@dataclass(frozen=True, slots=True)
class Tenancy:
    """The tenants of one configuration: a message is taken in under one alone, start to end."""

    #: By tenant.
    domains: Mapping[str, frozenset[str]]
    region: str

    @classmethod
    def of(cls, configuration: Configuration) -> "Tenancy":
        """Return what is configured."""
        return cls(
            {tenant.id: frozenset(tenant.domains) for tenant in configuration.tenants},
            configuration.region,
        )

    def has(self, tenant: str) -> bool:
        """Return whether this is a tenant of ours."""
        return tenant in self.domains

    def domains_of(self, tenant: str | None) -> frozenset[str]:
        """Return a tenant's own domains; mail of nobody has none."""
        return self.domains.get(tenant or "", frozenset())
