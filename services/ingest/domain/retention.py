"""How long raw mail is kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.common.tenants.model import Configuration


@dataclass(frozen=True, slots=True)
class Retention:
    """Each tenant's `raw_retention_days`."""

    by_tenant: Mapping[str, timedelta]

    @classmethod
    def of(cls, configuration: Configuration) -> "Retention":
        """Return what is configured."""
        return cls(
            {
                tenant.id: timedelta(days=tenant.raw_retention_days)
                for tenant in configuration.tenants
            }
        )

    def deadline(self, tenant: str | None, now: datetime) -> datetime:
        """Return the instant such that what a tenant received before it is to be deleted.

        Mail of no tenant, or of one that is not configured any more, is kept as long as any: whose
        it is may yet be found out.
        """
        kept = self.by_tenant.get(tenant or "", max(self.by_tenant.values()))
        return now - kept


@dataclass(frozen=True, slots=True)
class KeptRaw:
    """Raw mail that is still in the store."""

    report_key: str
    store_key: str
    received_at: datetime
