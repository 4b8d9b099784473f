"""What a retraction may touch, decided before any write (DESIGN: the guard, same order)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from libs.common.contracts.retraction import Destination
from libs.common.tenants.model import PublisherRights, Tenant
from services.retractor.domain.addresses import domain_of, normalised

#: The only publisher that is a machine's verdict; all others speak for persons.
AUTOMATIC_PUBLISHER = "classifier"
#: People's own commands on this deployment.
CLI_PUBLISHER = "cli"

# Reason codes: refusals of the whole command,
NOT_AUTHORISED = "not_authorised"
UNKNOWN_TENANT = "unknown_tenant"
DESTINATION_NOT_ALLOWED = "destination_not_allowed"
NO_MESSAGE_ID = "no_message_id"
NO_MAILBOXES = "no_mailboxes"
# of single copies,
PROTECTED_MAILBOX = "protected_mailbox"
FOREIGN_MAILBOX = "foreign_mailbox"
# and holds.
AMBIGUOUS_MESSAGE = "ambiguous_message"
MAILBOXES_PER_REQUEST = "mailboxes_per_request"
MAILBOXES_PER_HOUR = "mailboxes_per_hour"
VIP_MAILBOX = "vip_mailbox"
HARD_DELETE = "hard_delete_needs_approval"


@dataclass(frozen=True, slots=True)
class Request:
    """What a command asks for, as far as the guard needs to know."""

    publisher: str
    type: str
    tenant: str
    destination: Destination
    automatic: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """Never to be carried out."""

    reason: str


@dataclass(frozen=True, slots=True)
class Held:
    """Waits for a person; nothing is touched meanwhile."""

    reason: str


@dataclass(frozen=True, slots=True)
class Cleared:
    """May run: on these mailboxes, and not on those."""

    mailboxes: tuple[str, ...]
    #: Left out for good, by mailbox: reported `refused` with the reason.
    refused: dict[str, str] = field(default_factory=dict)
    #: Wait for a person, by mailbox: reported `untouched` with the reason.
    held: dict[str, str] = field(default_factory=dict)


Decision = Refused | Held | Cleared


def refusal(
    request: Request, rights: PublisherRights | None, tenant: Tenant | None
) -> Refused | None:
    """Return why the command is refused whatever mailboxes it means; None where it is not."""
    if rights is None or not _may(rights, request):
        return Refused(NOT_AUTHORISED)
    if tenant is None:
        return Refused(UNKNOWN_TENANT)
    if request.destination not in rights.destinations:
        return Refused(DESTINATION_NOT_ALLOWED)
    return None


def clear(
    request: Request,
    rights: PublisherRights,
    tenant: Tenant,
    mailboxes: Sequence[str],
    *,
    touched_before: int = 0,
    used_this_hour: int = 0,
) -> Decision:
    """Return what of `mailboxes` a command that was not refused may touch.

    `touched_before` counts mailboxes that it has already (a standing order that later recipients
    join); `used_this_hour` those of all retractions of the tenant that count by the hour.
    """
    wanted, refused = _without_refused(tenant, mailboxes)
    limit = _per_request(rights, tenant)
    if touched_before + len(wanted) > limit:
        return Held(MAILBOXES_PER_REQUEST)
    too_many = used_this_hour + len(wanted) > tenant.limits.mailboxes_per_hour
    if too_many and is_counted(rights):
        return Held(MAILBOXES_PER_HOUR)
    if request.destination is Destination.HARD_DELETE and tenant.limits.approve_hard_delete:
        return Held(HARD_DELETE)
    very_important = set(normalised(tenant.vip_mailboxes))
    held = {mailbox: VIP_MAILBOX for mailbox in wanted if mailbox in very_important}
    free = tuple(mailbox for mailbox in wanted if mailbox not in held)
    if held and not free and not touched_before:
        return Held(VIP_MAILBOX)
    return Cleared(free, refused, held)


def is_counted(rights: PublisherRights) -> bool:
    """Return whether a publisher's retractions count by the hour: no person is known to ask."""
    return rights.name != CLI_PUBLISHER and not rights.asserts_persons


def _without_refused(
    tenant: Tenant, mailboxes: Sequence[str]
) -> tuple[tuple[str, ...], dict[str, str]]:
    protected = set(normalised(tenant.protected_mailboxes))
    ours = set(tenant.domains)
    refused: dict[str, str] = {}
    for mailbox in normalised(mailboxes):
        if domain_of(mailbox) not in ours:
            refused[mailbox] = FOREIGN_MAILBOX
        elif mailbox in protected:
            refused[mailbox] = PROTECTED_MAILBOX
    return tuple(one for one in normalised(mailboxes) if one not in refused), refused


def _per_request(rights: PublisherRights, tenant: Tenant) -> int:
    limit = tenant.limits.mailboxes_per_request
    return min(limit, rights.mailboxes_per_request or limit)


def _may(rights: PublisherRights, request: Request) -> bool:
    return any(_matches(pattern, request.type) for pattern in rights.types) and any(
        pattern in ("*", request.tenant) for pattern in rights.tenants
    )


def _matches(pattern: str, type_: str) -> bool:
    if pattern.endswith("*"):
        return type_.startswith(pattern[:-1])
    return type_ == pattern
