"""Mail addresses in headers and mailboxes. Headers are hostile: bounded, and never trusted."""

from collections.abc import Iterable, Sequence
from email.utils import getaddresses

#: RFC 5322 §2.1.1 limits a line to 998; a From header beyond several lines identifies nobody.
_MAX_HEADER_CHARACTERS = 4000


def first_address(header: str | None) -> str | None:
    """Return the first address of an address header, lower case; None where there is none."""
    if not header:
        return None
    for _, address in getaddresses([header[:_MAX_HEADER_CHARACTERS]]):
        if "@" in address:
            return address.strip().lower()
    return None


def domain_of(address: str) -> str:
    """Return what follows the last @, lower case; "" where there is none."""
    return address.rpartition("@")[2].lower() if "@" in address else ""


def is_in(address: str, domains: Iterable[str]) -> bool:
    """Return whether the address belongs to one of the domains exactly: no subdomains."""
    return domain_of(address) in set(domains)


def normalised(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return the addresses lower-cased, sorted, each once."""
    return tuple(sorted({address.strip().lower() for address in addresses}))


def split_by_domain(
    addresses: Sequence[str], domains: Iterable[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return (inside the domains, outside of them), each normalised."""
    ours = set(domains)
    everybody = normalised(addresses)
    inside = tuple(address for address in everybody if domain_of(address) in ours)
    return inside, tuple(address for address in everybody if domain_of(address) not in ours)
