"""Mistakes that no single field shows: what contradicts what in a configuration file.

Works on the values as read, so that these are found along with every other mistake.
"""

from collections.abc import Callable, Iterator
from typing import Final

from libs.common.contracts import CONTRACTS
from libs.common.tenants.problems import field_name
from libs.common.tenants.yaml_tree import Path, Tree, Value

Finding = tuple[Path, str, str]

#: In a pattern: every element of a list.
EACH: Final = None

#: Publishers of their own, with rights that come with the service.
SERVICE_NAMES = frozenset({"ingest", "classifier", "retractor", "audit", "broker"})

#: A publisher is the database role `undeliver_<name>`, and Postgres cuts names at 63 bytes.
MAX_PUBLISHER_NAME_CHARACTERS = 53


def contradictions(tree: Tree) -> Iterator[Finding]:
    """Return every contradiction: path, problem, remedy."""
    for check in _CHECKS:
        yield from check(tree)


def find(value: Value, *pattern: str | None) -> Iterator[tuple[Path, str]]:
    """Return the texts at a pattern of field names and `EACH`, with their paths."""
    if not pattern:
        if isinstance(value, str):
            yield (), value
        return
    step, rest = pattern[0], pattern[1:]
    inner: Iterator[tuple[str | int, Value]] = iter(())
    if step is EACH and isinstance(value, list):
        inner = iter(enumerate(value))
    elif step is not EACH and isinstance(value, dict) and step in value:
        inner = iter([(step, value[step])])
    for key, part in inner:
        for path, text in find(part, *rest):
            yield (key, *path), text


def _unique(*pattern: str | None, what: str, remedy: str) -> Callable[[Tree], Iterator[Finding]]:
    def check(tree: Tree) -> Iterator[Finding]:
        seen: dict[str, Path] = {}
        for path, text in find(tree.value, *pattern):
            first = seen.setdefault(text.lower(), path)
            if first != path:
                where = f"{field_name(first)} (line {tree.line_of(first)})"
                yield path, f"is the same {what} as {where}", remedy

    return check


def _publishers_tenants_exist(tree: Tree) -> Iterator[Finding]:
    known = {text for _, text in find(tree.value, "tenants", EACH, "id")}
    for path, tenant in find(tree.value, "publishers", EACH, "tenants", EACH):
        if tenant != "*" and tenant not in known:
            yield path, "is the id of no tenant in this file", 'write an id, or "*" for all'


def _publishers_are_no_services(tree: Tree) -> Iterator[Finding]:
    for path, name in find(tree.value, "publishers", EACH, "name"):
        if name in SERVICE_NAMES:
            yield path, f"{name} is a service's own name", "choose another name"
        elif len(name) > MAX_PUBLISHER_NAME_CHARACTERS:
            most = MAX_PUBLISHER_NAME_CHARACTERS
            yield path, f"is longer than {most} characters", "choose a shorter name"


def _published_types_exist(tree: Tree) -> Iterator[Finding]:
    for path, text in find(tree.value, "publishers", EACH, "types", EACH):
        prefix = text[:-1] if text.endswith("*") else None
        known = (
            text in CONTRACTS
            if prefix is None
            else any(each.startswith(prefix) for each in CONTRACTS)
        )
        if not known:
            yield path, "is no message type of this version", "see docs/api/ for their names"


def _special_mailboxes_are_the_tenants(tree: Tree) -> Iterator[Finding]:
    """Return mailboxes that a typing error would leave unprotected."""
    domains: dict[Path, set[str]] = {}
    for path, domain in find(tree.value, "tenants", EACH, "domains", EACH):
        domains.setdefault(path[:2], set()).add(domain.lower())
    for kind in ("protected_mailboxes", "vip_mailboxes"):
        for path, mailbox in find(tree.value, "tenants", EACH, kind, EACH):
            _, at, domain = mailbox.rpartition("@")
            if at and domain.lower() not in domains.get(path[:2], set()):
                yield path, "is in none of the tenant's domains", "correct it, or add its domain"


def _senders_are_on_one_list(tree: Tree) -> Iterator[Finding]:
    blocked = {
        (path[:2], sender.lower())
        for path, sender in find(tree.value, "tenants", EACH, "senders", "block", EACH)
    }
    for path, sender in find(tree.value, "tenants", EACH, "senders", "allow", EACH):
        if (path[:2], sender.lower()) in blocked:
            yield path, "is both blocked and allowed", "keep one"


def _mail_is_not_journaled_to_itself(tree: Tree) -> Iterator[Finding]:
    ours = {text for _, text in find(tree.value, "service_domain")}
    ours |= {text for _, text in find(tree.value, "journal_addresses", EACH, "domain")}
    for path, domain in find(tree.value, "tenants", EACH, "domains", EACH):
        if domain in ours:
            yield path, "is where journal reports go", "use a domain of its own for undeliver"


def _regions_fit(tree: Tree) -> Iterator[Finding]:
    homes = dict(find(tree.value, "journal_addresses", EACH, "home"))
    backups = dict(find(tree.value, "journal_addresses", EACH, "backups", EACH))
    for path, backup in backups.items():
        if homes.get((*path[:2], "home")) == backup:
            yield path, "is the home region, too", "name another region, or none"
    for path, region in find(tree.value, "region"):
        if homes and region not in {*homes.values(), *backups.values()}:
            yield path, "is home or backup of no journal address", "correct it, or add an address"


_CHECKS: tuple[Callable[[Tree], Iterator[Finding]], ...] = (
    _unique("tenants", EACH, "id", what="id", remedy="choose another id"),
    _unique(
        *("tenants", EACH, "domains", EACH),
        what="domain",
        remedy="a domain belongs to one tenant, once: remove it from the other",
    ),
    _unique(
        *("tenants", EACH, "journal", "token"),
        what="token",
        remedy="make a new one: head -c 20 /dev/urandom | base32 | tr A-Z a-z",
    ),
    _unique("publishers", EACH, "name", what="name", remedy="choose another name"),
    _unique("journal_addresses", EACH, "domain", what="domain", remedy="keep one"),
    _publishers_tenants_exist,
    _publishers_are_no_services,
    _published_types_exist,
    _special_mailboxes_are_the_tenants,
    _senders_are_on_one_list,
    _mail_is_not_journaled_to_itself,
    _regions_fit,
)
