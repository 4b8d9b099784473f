"""What is known about a message besides its own bytes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whose name attackers borrow, and the addresses that are really theirs."""

    name: str
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The tenant, the way that the message came, and what the DNS said.

    Without any, a message speaks for itself.
    """

    own_domains: tuple[str, ...] = ()
    protected_people: tuple[Person, ...] = ()
    #: Addresses or domains, lower case.
    blocked_senders: tuple[str, ...] = ()
    allowed_senders: tuple[str, ...] = ()
    #: The original came inside a journal report of Exchange Online, which removes what senders
    #: write under its names. False for anything else: there, anybody may have written it.
    is_receiver_trusted: bool = False
    #: The reverse-path as the journal or the listener saw it; null where nobody did.
    envelope_sender: str | None = None
    #: TXT records by name; () = surely none. A name that is missing had no answer, which is never
    #: evidence.
    records: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def protected_domains(self) -> tuple[str, ...]:
        """Return the own domains, and those of the protected people."""
        theirs = (a.rpartition("@")[2] for p in self.protected_people for a in p.addresses)
        return tuple(dict.fromkeys((*self.own_domains, *theirs)))

    def is_own(self, domain: str) -> bool:
        """Say whether a domain is the tenant's, or below one."""
        return any(domain == own or domain.endswith("." + own) for own in self.own_domains)

    def with_records(self, records: Mapping[str, tuple[str, ...]]) -> Self:
        """Return the same with what the DNS answered."""
        return replace(self, records=records)
