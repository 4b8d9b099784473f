"""Whose mail it is, by the address that it was sent to: `<token>@<journal domain>`."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from libs.common.tenants.model import Configuration

#: In front of the service's own domain, where no journal address is configured.
DEFAULT_JOURNAL_LABEL = "journaling"
#: Accepted for no tenant, so that people see it: what a connector's set-up sends, and RFC 5321
#: §4.5.1's postmaster.
OPEN_MAILBOXES = frozenset({"postmaster", "validation"})


class Refusal(Enum):
    """Why an address takes no mail."""

    #: The domain is none of ours.
    FOREIGN_DOMAIN = "foreign_domain"
    #: Our domain, and a token that never existed.
    UNKNOWN_TOKEN = "unknown_token"  # noqa: S105 - a reason, no secret
    #: A tenant's token, on a listener that this tenant does not use: perhaps not yet.
    OTHER_LISTENER = "other_listener"


@dataclass(frozen=True, slots=True)
class Destination:
    """An address that takes mail; `tenant` None: for no tenant."""

    tenant: str | None


@dataclass(frozen=True, slots=True)
class Routes:
    """The addresses that one listener takes mail for."""

    journal_domains: frozenset[str]
    tenants_by_token: Mapping[str, str]
    #: Tenants that do not use this listener.
    elsewhere: frozenset[str]

    @classmethod
    def of(cls, configuration: Configuration, listener: str) -> "Routes":
        """Return the routes of a listener as configured."""
        configured = {address.domain.lower() for address in configuration.journal_addresses}
        own = f"{DEFAULT_JOURNAL_LABEL}.{configuration.service_domain.lower()}"
        return cls(
            journal_domains=frozenset({own, *configured}),
            tenants_by_token={
                tenant.journal.token.lower(): tenant.id for tenant in configuration.tenants
            },
            elsewhere=frozenset(
                tenant.id
                for tenant in configuration.tenants
                if listener not in tenant.journal.listeners
            ),
        )

    def resolve(self, address: str) -> Destination | Refusal:
        """Return where mail for an address goes."""
        local, _, domain = address.strip().lower().rpartition("@")
        if not local and domain == "postmaster":
            return Destination(None)  # RFC 5321 §4.1.1.3: without a domain
        if domain.rstrip(".") not in self.journal_domains:
            return Refusal.FOREIGN_DOMAIN
        if local in OPEN_MAILBOXES:
            return Destination(None)
        tenant = self.tenants_by_token.get(local)
        if tenant is None:
            return Refusal.UNKNOWN_TOKEN
        return Refusal.OTHER_LISTENER if tenant in self.elsewhere else Destination(tenant)
