"""The configuration file as it is in force (YAML; see `undeliver config example`)."""

import hashlib
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

#: In the validation's context: the `Path` of the folder that relative paths start from.
FOLDER = "folder"

ADDRESS_PATTERN = r"^[^@\s]+@[^@\s]+$"
DOMAIN_PATTERN = r"^[a-z0-9_]([a-z0-9._-]*[a-z0-9])?$"
SENDER_PATTERN = r"^([^@\s]+@)?[a-z0-9_]([a-z0-9._-]*[a-z0-9])?$"
NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$"
TOKEN_PATTERN = r"^[a-z2-7]{26,64}$"  # noqa: S105 - how tokens look, not one
SECRET_PATTERN = r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$"  # noqa: S105 - a reference, no secret
#: A GUID or a verified domain: it becomes part of the sign-in URL.
MICROSOFT_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$"

Address = Annotated[str, Field(pattern=ADDRESS_PATTERN, max_length=320)]
Domain = Annotated[str, Field(pattern=DOMAIN_PATTERN, max_length=253)]
Sender = Annotated[str, Field(pattern=SENDER_PATTERN, max_length=320)]
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
MicrosoftId = Annotated[str, Field(pattern=MICROSOFT_ID_PATTERN)]
Action = Literal["no_action", "junk", "trash", "soft_delete", "hard_delete"]
#: `env:NAME` or `file:PATH`: where the secret is, never the secret.
SecretReference = Annotated[str, Field(pattern=SECRET_PATTERN, max_length=4096)]


class Section(BaseModel):
    """A part of the file: frozen, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Policy(Section):
    """What happens by itself to a message of each disposition. Shipped default: nothing."""

    malicious: Action = "no_action"
    suspicious: Action = "no_action"
    spoof: Action = "no_action"
    spam: Action = "no_action"
    bulk: Action = "no_action"
    none: Action = "no_action"


class Limits(Section):
    """How much may be retracted before a person must agree (DESIGN: the guard)."""

    #: Mailboxes that one retraction may touch.
    mailboxes_per_request: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    #: Mailboxes that all retractions of the tenant may touch within an hour which no person asked
    #: for: those of the classifier and of upstream systems that assert no persons.
    mailboxes_per_hour: Annotated[int, Field(ge=1)] = 5000
    #: Whether a hard delete always waits for a second person.
    approve_hard_delete: bool = False


class Journal(Section):
    """How journal reports of this tenant are known."""

    #: Local part of the journal address: at least 128 bits of chance, 26 base32 characters.
    token: Annotated[str, Field(pattern=TOKEN_PATTERN)]
    listeners: tuple[Name, ...] = ("default",)


class GraphAccess(Section):
    """The application that may read and move this tenant's mail. Exactly one credential."""

    client_id: MicrosoftId
    client_secret: SecretReference | None = None
    certificate: SecretReference | None = None
    workload_identity: bool = False

    @field_validator("client_secret", "certificate")
    @classmethod
    def _absolute(cls, reference: str | None, info: ValidationInfo) -> str | None:
        """Take a relative path from the file's folder, not from where the process was started."""
        if reference is None or info.context is None or not reference.startswith("file:"):
            return reference
        return f"file:{info.context[FOLDER] / reference.removeprefix('file:')}"

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        given = [
            self.client_secret is not None,
            self.certificate is not None,
            self.workload_identity,
        ]
        if sum(given) != 1:
            raise ValueError(
                "has no credential, or more than one; "
                "give exactly one of client_secret, certificate, workload_identity: true"
            )
        return self


class ProtectedPerson(Section):
    """Somebody whose name attackers borrow."""

    name: Annotated[str, Field(min_length=3)]
    addresses: tuple[Address, ...] = ()


class SenderLists(Section):
    """Senders known to be bad or good: addresses or domains. Allowed ones only if authenticated."""

    block: tuple[Sender, ...] = ()
    allow: tuple[Sender, ...] = ()


class Tenant(Section):
    """One customer."""

    id: Name
    microsoft_tenant_id: MicrosoftId
    cloud: Literal["global", "gcc_high", "dod", "china"] = "global"
    domains: Annotated[tuple[Domain, ...], Field(min_length=1)]
    journal: Journal
    graph: GraphAccess
    policy: Policy = Policy()
    protected_mailboxes: tuple[Address, ...] = ()
    vip_mailboxes: tuple[Address, ...] = ()
    #: What the tenant's own mail flow rules add to subjects, such as `[EXTERNAL]`.
    subject_tags: Annotated[
        tuple[Annotated[str, Field(min_length=2, max_length=100)], ...], Field(max_length=20)
    ] = ()
    protected_people: tuple[ProtectedPerson, ...] = ()
    senders: SenderLists = SenderLists()
    limits: Limits = Limits()
    raw_retention_days: Annotated[int, Field(ge=1, le=3650)] = 30


class PublisherRights(Section):
    """What one proved publisher may say."""

    name: Name
    #: Message types it may send; `*` at the end matches a prefix.
    types: Annotated[tuple[str, ...], Field(min_length=1)]
    #: Tenants it may speak of; `*` = all.
    tenants: tuple[str, ...] = ("*",)
    destinations: tuple[Literal["junk", "trash", "soft_delete", "hard_delete", "original"], ...] = (
        "junk",
        "trash",
        "soft_delete",
        "hard_delete",
        "original",
    )
    #: Mailboxes that one of its retractions may touch; absent = the tenant's limit.
    mailboxes_per_request: Annotated[int, Field(ge=1)] | None = None
    may_approve: bool = False
    #: Its `requested_by` is believed to name the person (a console with a sign-in).
    asserts_persons: bool = False


class JournalAddress(Section):
    """The journal domain of one region, its home and its backups."""

    domain: Domain
    home: Name
    backups: tuple[Name, ...] = ()


class Configuration(Section):
    """The whole file."""

    region: Name = "local"
    service_domain: Domain
    journal_addresses: tuple[JournalAddress, ...] = ()
    publishers: tuple[PublisherRights, ...] = ()
    tenants: Annotated[tuple[Tenant, ...], Field(min_length=1)]

    @cached_property
    def version(self) -> str:
        """Which configuration this is: the same for the same content, comments aside."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the published JSON Schema (Draft 2020-12) of the file."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": "urn:undeliver:configuration",
            **cls.model_json_schema(),
        }
