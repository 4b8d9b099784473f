"""What exists at the start, from a YAML file (`undeliver graph-simulator --tenant-file`)."""

from pathlib import Path
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, ValidationError, field_validator, model_validator

from libs.common.errors import ConfigurationError
from libs.common.tenants.problems import field_name
from libs.common.tenants.yaml_tree import MAX_FILE_BYTES, Flaw, UnreadableYaml, read_tree
from libs.graph_simulator.options import Options, Section
from libs.graph_simulator.world.directory import (
    DEFAULT_ROLES,
    Application,
    Cloud,
    FederatedKey,
    Tenant,
    World,
)
from libs.graph_simulator.world.mailbox import Kind

Address = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=320)]
FolderPath = Annotated[str, Field(min_length=1, max_length=500)]


class FederatedSeed(Section):
    """An issuer whose assertions are as good as the secret (workload identity)."""

    issuer: str
    subject: str
    audience: str = "api://AzureADTokenExchange"
    public_key_pem: str


class ApplicationSeed(Section):
    """An application registration with its credentials and grants."""

    client_id: Annotated[str, Field(min_length=1)]
    client_secret: str | None = None
    certificates_pem: tuple[str, ...] = ()
    federated: tuple[FederatedSeed, ...] = ()
    roles: tuple[str, ...] = DEFAULT_ROLES
    exchange_roles: tuple[str, ...] = ()
    is_secret_expired: bool = False
    is_consented: bool = True

    @model_validator(mode="after")
    def _has_credential(self) -> Self:
        if not (self.client_secret or self.certificates_pem or self.federated):
            raise ValueError("has no credential; add client_secret, certificates_pem or federated")
        return self


class MailboxSeed(Section):
    """Somebody with an address."""

    address: Address
    aliases: tuple[Address, ...] = ()
    display_name: str = ""
    kind: Kind = "user"
    #: Beside the usual ones: `Projects`, `Projects/2026`.
    folders: tuple[FolderPath, ...] = ()


class JournalSeed(Section):
    """Where journal reports of this tenant go, once for each delivery."""

    host: str
    port: Annotated[int, Field(ge=1, le=65_535)]
    address: Address
    #: Envelope sender of the reports; default `journal-ndr@` the tenant's first domain.
    mail_from: Address | None = None


class TenantSeed(Section):
    """One organisation."""

    id: str
    display_name: str = ""
    cloud: Cloud = "global"
    domains: Annotated[tuple[str, ...], Field(min_length=1)]
    apps: tuple[ApplicationSeed, ...] = ()
    mailboxes: tuple[MailboxSeed, ...] = ()
    journal: JournalSeed | None = None

    @field_validator("id")
    @classmethod
    def _is_guid(cls, value: str) -> str:
        try:
            return str(UUID(value))
        except ValueError as error:
            raise ValueError("is not a GUID; write 11111111-2222-4333-8444-555555555555") from error


class Seed(Section):
    """The whole file."""

    tenants: tuple[TenantSeed, ...] = ()
    options: Options = Options()


def load_seed(path: Path) -> Seed:
    """Read the file.

    Raises:
        ConfigurationError: all mistakes at once, with file, line, field and remedy.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        tree = read_tree(content)
    except UnreadableYaml as error:
        raise ConfigurationError(_sentence(path, error.flaw)) from None
    flaws = list(tree.flaws)
    seed = Seed()
    try:
        seed = Seed.model_validate(tree.value)
    except ValidationError as error:
        for one in error.errors(include_input=False, include_url=False):
            problem, remedy = _words(one["type"], one["msg"])
            flaws.append(Flaw(tree.line_of(one["loc"]), one["loc"], problem, remedy))
    if flaws:
        flaws.sort(key=lambda flaw: flaw.line)
        raise ConfigurationError("\n".join(_sentence(path, flaw) for flaw in flaws))
    return seed


def plant(world: World, seed: Seed) -> None:
    """Let exist what the seed says.

    Raises:
        ConfigurationError: a tenant or an address twice.
    """
    try:
        for tenant in seed.tenants:
            add_tenant(world, tenant)
    except ValueError as error:
        raise ConfigurationError(f"{error}; give it to one only") from error


def add_tenant(world: World, seed: TenantSeed) -> Tenant:
    """Add a tenant with its applications and mailboxes. ValueError if something is taken."""
    tenant = world.add_tenant(
        Tenant(
            id=seed.id,
            domains=tuple(domain.lower() for domain in seed.domains),
            cloud=seed.cloud,
            display_name=seed.display_name,
        )
    )
    for application in seed.apps:
        add_application(world, tenant, application)
    for mailbox in seed.mailboxes:
        add_mailbox(world, tenant, mailbox)
    return tenant


def add_application(world: World, tenant: Tenant, seed: ApplicationSeed) -> Application:
    """Register an application, or replace it."""
    federated = tuple(FederatedKey(**one.model_dump()) for one in seed.federated)
    application = Application(
        client_id=seed.client_id,
        object_id=world.new_guid(),
        client_secret=seed.client_secret,
        is_secret_expired=seed.is_secret_expired,
        certificates_pem=seed.certificates_pem,
        federated=federated,
        roles=seed.roles,
        exchange_roles=seed.exchange_roles,
        is_consented=seed.is_consented,
    )
    tenant.applications[seed.client_id] = application
    return application


def add_mailbox(world: World, tenant: Tenant, seed: MailboxSeed) -> None:
    """Give somebody a mailbox. ValueError if an address is taken."""
    world.add_mailbox(
        tenant,
        seed.address,
        aliases=seed.aliases,
        display_name=seed.display_name,
        kind=seed.kind,
        folders=seed.folders,
    )


def _sentence(path: Path, flaw: Flaw) -> str:
    field = f"{field_name(flaw.path)}: " if flaw.path else ""
    return f"{path}:{flaw.line}: {field}{flaw.problem}; {flaw.remedy}"


def _words(kind: str, message: str) -> tuple[str, str]:
    if kind == "value_error":
        problem, _, remedy = message.removeprefix("Value error, ").partition("; ")
        return problem, remedy or "correct it"
    known = {
        "extra_forbidden": ("is not a known field", "remove it, or correct its name"),
        "missing": ("is missing", "add it"),
        "string_pattern_mismatch": ("is not an e-mail address", "write name@domain"),
    }
    return known.get(kind, (message, "correct the value"))
