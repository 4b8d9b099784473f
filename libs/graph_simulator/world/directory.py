"""Tenants with their applications and mailboxes, and who has which address."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from libs.common.clock import Clock
from libs.graph_simulator.options import Options
from libs.graph_simulator.world.mailbox import Kind, Mailbox

Cloud = Literal["global", "gcc_high", "dod", "china"]
DEFAULT_ROLES = ("Mail.ReadWrite", "User.Read.All")


@dataclass(slots=True)
class FederatedKey:
    """A foreign issuer whose assertions stand for the application's secret."""

    issuer: str
    subject: str
    audience: str
    public_key_pem: str


@dataclass(slots=True)
class Application:
    """An application registration as one tenant knows it."""

    client_id: str
    object_id: str
    client_secret: str | None = None
    is_secret_expired: bool = False
    certificates_pem: tuple[str, ...] = ()
    federated: tuple[FederatedKey, ...] = ()
    #: Granted in Entra: the token lists them.
    roles: tuple[str, ...] = DEFAULT_ROLES
    #: Granted in Exchange (RBAC for Applications): they count, and the token does not list them.
    exchange_roles: tuple[str, ...] = ()
    is_consented: bool = True
    #: Tokens issued before this instant (seconds since the epoch) are revoked.
    tokens_valid_from: float = 0


@dataclass(slots=True)
class Tenant:
    """One organisation."""

    id: str
    domains: tuple[str, ...]
    cloud: Cloud = "global"
    display_name: str = ""
    applications: dict[str, Application] = field(default_factory=dict)
    mailboxes: dict[str, Mailbox] = field(default_factory=dict)
    by_address: dict[str, Mailbox] = field(default_factory=dict)

    def find_user(self, name: str) -> Mailbox | None:
        """Look somebody up as the directory does: object id or user principal name."""
        by_id = self.mailboxes.get(name.lower())
        if by_id is not None:
            return by_id
        found = self.by_address.get(name.lower())
        return found if found is not None and found.address.lower() == name.lower() else None


class World:
    """All there is, one clock and one source of chance."""

    def __init__(self, clock: Clock, options: Options) -> None:
        self.clock = clock
        self.options = options
        self.tenants: dict[str, Tenant] = {}
        self.random = random.Random(options.seed)  # noqa: S311 - repeatable, not secret

    def new_guid(self) -> str:
        """Return a GUID that follows from the seed."""
        return str(UUID(int=self.random.getrandbits(128), version=4))

    def add_tenant(self, tenant: Tenant) -> Tenant:
        """Let an organisation exist. ValueError if it does."""
        if tenant.id.lower() in self.tenants:
            raise ValueError(f"tenant {tenant.id} exists")
        self.tenants[tenant.id.lower()] = tenant
        return tenant

    def add_mailbox(
        self,
        tenant: Tenant,
        address: str,
        *,
        aliases: tuple[str, ...] = (),
        display_name: str = "",
        kind: Kind = "user",
        folders: tuple[str, ...] = (),
    ) -> Mailbox:
        """Let somebody have a mailbox. ValueError if an address is taken."""
        taken = [one for one in (address, *aliases) if self.find_address(one)]
        if taken:
            raise ValueError(f"address {taken[0]} is taken")
        mailbox = Mailbox(
            object_id=self.new_guid(),
            guid=self.new_guid(),
            store=UUID(self.new_guid()).bytes,
            address=address,
            aliases=aliases,
            display_name=display_name,
            kind=kind,
            compress_ids=self.options.compress_ids,
        )
        for path in folders:
            mailbox.create_folder(path)
        tenant.mailboxes[mailbox.object_id] = mailbox
        for one in mailbox.addresses:
            tenant.by_address[one.lower()] = mailbox
        return mailbox

    def find_address(self, address: str) -> tuple[Tenant, Mailbox] | None:
        """Find whose address that is, in all tenants."""
        for tenant in self.tenants.values():
            mailbox = tenant.by_address.get(address.lower())
            if mailbox is not None:
                return tenant, mailbox
        return None

    def mailboxes(self) -> Iterator[tuple[Tenant, Mailbox]]:
        """Go through everybody."""
        for tenant in self.tenants.values():
            for mailbox in tenant.mailboxes.values():
                yield tenant, mailbox
