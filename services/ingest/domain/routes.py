"""Whose mail it is, by the address that it was sent to: `<token>@<journal domain>`."""

import re
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256

from libs.common.tenants.directory import Directory
from libs.common.tenants.model import TOKEN_PATTERN, Configuration

#: Accepted for no tenant, so that people see it: what a connector's set-up sends, and RFC 5321
#: §4.5.1's postmaster.
OPEN_MAILBOXES = frozenset({"postmaster", "validation"})

_TOKEN = re.compile(TOKEN_PATTERN)


class Refusal(Enum):
    """Why an address takes no mail."""

    #: The domain is none of ours.
    FOREIGN_DOMAIN = "foreign_domain"
    #: A domain of ours whose mail another region takes: it must not be stored in this one.
    OTHER_REGION = "other_region"
    #: Our domain, and a token that never existed.
    UNKNOWN_TOKEN = "unknown_token"  # noqa: S105 - a reason, no secret
    #: Our domain, and a token that was a tenant's before: its journal rule may still stand.
    FORMER_TOKEN = "former_token"  # noqa: S105 - a reason, no secret
    #: A tenant's token, on a listener that this tenant does not use: perhaps not yet.
    OTHER_LISTENER = "other_listener"


@dataclass(frozen=True, slots=True)
class Destination:
    """An address that takes mail; `tenant` None: for no tenant."""

    tenant: str | None


class Routes:
    """The addresses that one listener takes mail for."""

    def __init__(self, configuration: Configuration, listener: str) -> None:
        self._directory = Directory(configuration)
        self._listener = listener

    @property
    def configured(self) -> frozenset[str]:
        """The hashes of all tenants' tokens."""
        tenants = self._directory.configuration.tenants
        return frozenset(token_hash(tenant.journal.token) for tenant in tenants)

    def resolve(self, address: str) -> Destination | Refusal:
        """Return where mail for an address goes."""
        local, _, domain = address.strip().lower().rpartition("@")
        domain = domain.rstrip(".")
        if not local and domain == "postmaster":
            return Destination(None)  # RFC 5321 §4.1.1.3: without a domain
        if domain in self._directory.other_regions_domains:
            return Refusal.OTHER_REGION
        if domain not in self._directory.journal_domains:
            return Refusal.FOREIGN_DOMAIN
        if local in OPEN_MAILBOXES:
            return Destination(None)
        return self._of_tenant(f"{local}@{domain}")

    def _of_tenant(self, address: str) -> Destination | Refusal:
        tenant = self._directory.by_journal_address(address)
        if tenant is None:
            return Refusal.UNKNOWN_TOKEN
        if self._listener not in tenant.journal.listeners:
            return Refusal.OTHER_LISTENER
        return Destination(tenant.id)


def token_of(address: str) -> str | None:
    """Return what may be a token in an address, or None where the local part cannot be one."""
    local = address.strip().lower().rpartition("@")[0]
    return local if _TOKEN.fullmatch(local) else None


def token_hash(token: str) -> str:
    """Return what is remembered of a token: it is as good as a password, so never itself."""
    return sha256(token.lower().encode()).hexdigest()
