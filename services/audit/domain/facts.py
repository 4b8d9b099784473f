"""What people search by: sections, and the values of well-known fields."""

from collections.abc import Iterator
from typing import Any

from services.audit.domain.record import Facts, Mark

#: The first word of a type → the section of the record that people know it by.
_SECTIONS = {
    "mail": "journal",
    "verdict": "classify",
    "indicator": "classify",
    "policy": "policy",
    "retraction": "retract",
    "copy": "retract",
    "tenant": "retract",
    "permission": "permission",
    "consent": "permission",
    "delivery": "operation",
    "source": "operation",
    "config": "configuration",
}
_EXCEPTIONS = {
    "mail.classified.v1": "classify",
    "mail.retract.v1": "retract",
    "mail.read.v1": "access",
}
#: Types that have no contract here.
OTHER = "other"

SECTIONS = tuple(sorted({*_SECTIONS.values(), *_EXCEPTIONS.values(), OTHER}))

MAILBOX = "mailbox"
PERSON = "person"
INTERNET_MESSAGE_ID = "internet_message_id"
MESSAGE_KEY = "message_key"
RETRACTION = "retraction"
GROUP = "group"


#: Marks that go when the personal bytes of their record go (a trigger in 0002_search.sql).
PERSONAL_KINDS = frozenset({INTERNET_MESSAGE_ID, MAILBOX, PERSON})

#: Field of a body, at any depth → the kind of mark that its value is.
_FIELDS = {
    "mailbox": MAILBOX,
    "mailboxes": MAILBOX,
    "address": MAILBOX,
    "sender": MAILBOX,
    "on_behalf_of": MAILBOX,
    "requested_by": PERSON,
    "changed_by": PERSON,
    "internet_message_id": INTERNET_MESSAGE_ID,
    "message_key": MESSAGE_KEY,
    "retraction_id": RETRACTION,
    "restore_id": RETRACTION,
    "group_id": GROUP,
}

#: RFC 5322 lines end at 998; an index entry of Postgres at 2,704 bytes. Longer values are cut, in
#: search, too.
_MAX_MARK_CHARACTERS = 640


def section_of(type_: str) -> str:
    """Return the section of a message type."""
    return _EXCEPTIONS.get(type_) or _SECTIONS.get(type_.partition(".")[0], OTHER)


def mark(kind: str, value: str) -> Mark:
    """Return a mark as it is stored and looked up: case of addresses and ids does not count."""
    text = value if kind == INTERNET_MESSAGE_ID else value.strip().lower()
    return Mark(kind, text[:_MAX_MARK_CHARACTERS].replace("\0", "\ufffd"))


def facts_of(type_: str, body: dict[str, Any], public: dict[str, Any]) -> Facts:
    """Return what search knows of a message whose body obeys its contract.

    Only what is public leaves a trace that erasing does not take along.
    """
    lasting = {each for each in _marks(public) if each.kind not in PERSONAL_KINDS}
    personal = {each for each in _marks(body) if each.kind in PERSONAL_KINDS}
    return Facts(
        section=section_of(type_),
        disposition=_word(public.get("disposition")),
        outcome=_word(public.get("outcome") or public.get("status")),
        marks=frozenset(lasting | personal),
    )


def _word(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _marks(value: object) -> Iterator[Mark]:
    if isinstance(value, list):
        for item in value:
            yield from _marks(item)
    elif isinstance(value, dict):
        for name, field in value.items():
            kind = _FIELDS.get(name)
            yield from _marks(field) if kind is None else _named(kind, field)


def _named(kind: str, value: object) -> Iterator[Mark]:
    for text in value if isinstance(value, list) else (value,):
        if isinstance(text, str) and text:
            yield mark(kind, text)
