"""Borrowed names: protected people, look-alike domains, an address shown as a name."""

import re
from collections.abc import Iterator

from services.classifier.domain.case import Case
from services.classifier.domain.circumstances import Person
from services.classifier.domain.confusables import folded, is_confusable, skeleton
from services.classifier.domain.hosts import registered, to_unicode
from services.classifier.domain.mail import Address
from services.classifier.domain.reasons import Reason, quote
from services.classifier.domain.relaying import relayed_by

_SHOWN_ADDRESS = re.compile(r"[\w.+-]{1,64}@((?:[\w-]{1,63}\.)+[a-z]{2,24})", re.IGNORECASE)
_WORD = re.compile(r"\w+")


def reasons(case: Case) -> Iterator[Reason]:
    """Yield who the sender pretends to be."""
    if case.receiver.is_internal:
        return
    for address in dict.fromkeys((*case.mail.from_[:3], *case.mail.sender[:1])):
        yield from _person(case, address)
        yield from _domain(case, address.domain)
    yield from _shown_address(case)


def _person(case: Case, address: Address) -> Iterator[Reason]:
    if not address.name:
        return
    for person in case.about.protected_people:
        theirs = {one.lower() for one in person.addresses}
        is_colleague = case.about.is_own(address.domain)
        if address.spec in theirs or is_colleague or not _is_named(address.name, person):
            continue
        yield Reason(
            relayed_by(case, address, theirs) or "protected_person",
            f"{quote(address.name)} is the name of {person.name}, but {quote(address.spec)}"
            " is not their address",
        )


def _is_named(shown: str, person: Person) -> bool:
    """Compare the words of both names, in any order, as a hurried reader sees them."""
    wanted = {skeleton(word) for word in _WORD.findall(folded(person.name))}
    return len(wanted) > 0 and wanted <= {skeleton(word) for word in _WORD.findall(folded(shown))}


def _domain(case: Case, domain: str) -> Iterator[Reason]:
    name = registered(domain)
    if not name or name in {registered(own) for own in case.about.protected_domains}:
        return
    label, _, suffix = to_unicode(name).partition(".")
    for own in case.about.protected_domains:
        own_label, _, own_suffix = registered(own).partition(".")
        shown = quote(to_unicode(name))
        if label == own_label and suffix != own_suffix:
            yield Reason("other_suffix", f"{shown} is named like {own}")
        elif is_confusable(label, own_label):
            is_lookalike = skeleton(label) == skeleton(own_label)
            code = "lookalike_domain" if is_lookalike else "similar_domain"
            yield Reason(code, f"{shown} resembles {own}")


def _shown_address(case: Case) -> Iterator[Reason]:
    author = case.mail.author
    shown = _SHOWN_ADDRESS.search(author.name)
    if not shown or not author.domain or registered(shown[1].lower()) == registered(author.domain):
        return
    code = "address_as_name"
    if case.about.is_own(shown[1].lower()):
        code = relayed_by(case, author, {shown.group().lower()}) or "own_address_as_name"
    yield Reason(
        code,
        f"shows {quote(shown.group())} as its name, but is {quote(author.spec)}",
    )
