"""Who may say what: the rights of proved publishers (DESIGN: rules that hold everywhere, 4)."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from libs.common.tenants.model import Configuration, PublisherRights

#: `*` as a tenant: all of them, and what concerns no tenant.
EVERY_TENANT = "*"

#: What any of our services may send.
_COMMON = ("delivery.dead_lettered.v1", "config.changed.v1")

#: What each of our own services may send, and nothing else (DESIGN: messages).
_OWN_TYPES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ingest": (
            "mail.journaled.v1",
            "mail.held.v1",
            "mail.reported.v1",
            "source.silent.v1",
            "source.resumed.v1",
        ),
        "classifier": (
            "mail.classified.v1",
            "mail.retract.v1",
            "policy.changed.v1",
            "policy.previewed.v1",
        ),
        "retractor": (
            "retraction.planned.v1",
            "retraction.accepted.v1",
            "retraction.held.v1",
            "retraction.finished.v1",
            "copy.settled.v1",
            "permission.checked.v1",
            "consent.changed.v1",
        ),
        "audit": ("mail.read.v1",),
    }
)

#: What operators' commands put on record themselves, of every tenant, whether or not the file names
#: them as a publisher: no entry of the file can keep a deed off the record.
OPERATOR = "cli"
_OPERATORS_TYPES = ("delivery.replayed.v1",)


class Authority:
    """The rights in force. Whoever is not named has none."""

    def __init__(self, publishers: Iterable[PublisherRights]) -> None:
        rights = {
            name: PublisherRights(name=name, types=(*types, *_COMMON))
            for name, types in _OWN_TYPES.items()
        }
        for given in publishers:
            own = rights.get(given.name)
            # The file may narrow what a service of ours may do to mailboxes, never what it may say.
            rights[given.name] = given.model_copy(update={"types": own.types}) if own else given
        self._rights = rights

    @classmethod
    def of(cls, configuration: Configuration) -> "Authority":
        """Return the rights of our own services and of the configuration's publishers."""
        return cls(configuration.publishers)

    def rights_of(self, publisher: str) -> PublisherRights | None:
        """Return a publisher's rights; None for one that nobody named."""
        return self._rights.get(publisher)

    def types(self) -> Mapping[str, tuple[str, ...]]:
        """Return what each publisher may send; `*` at the end of a type matches a prefix."""
        types = {name: rights.types for name, rights in self._rights.items()}
        return {**types, OPERATOR: (*types.get(OPERATOR, ()), *_OPERATORS_TYPES)}

    def refusal(self, publisher: str, type_: str, tenant: str | None) -> str | None:
        """Return why a proved publisher may not send this type for this tenant; None = it may.

        The reason is `unknown_publisher`, `type_not_allowed` or `tenant_not_allowed`. A message of
        no tenant concerns them all, so it takes the right to all.
        """
        if publisher == OPERATOR and type_ in _OPERATORS_TYPES:
            return None
        rights = self._rights.get(publisher)
        if rights is None:
            return "unknown_publisher"
        if not any(_matches(pattern, type_) for pattern in rights.types):
            return "type_not_allowed"
        if EVERY_TENANT in rights.tenants or (tenant is not None and tenant in rights.tenants):
            return None
        return "tenant_not_allowed"


def _matches(pattern: str, type_: str) -> bool:
    if pattern.endswith("*"):
        return type_.startswith(pattern[:-1])
    return type_ == pattern
