"""Tells replies and forwards of an accepted message from the rest of its thread (capability D3).

A conversation catches too much (the whole thread, innocent parents included) and its headers are
written by senders, so every relation is checked ([MS-OXOMSG] 2.2.1.2; RFC 5322 §3.6.4).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from services.retractor.domain.mail import FoundCopy

#: 1 byte, 5 bytes of time, 16 bytes of conversation GUID.
ROOT_INDEX_BYTES = 22
REPLY_INDEX_BYTES = 5
#: A reply cannot be older than what it answers; servers' clocks differ a little.
_CLOCK_TOLERANCE = timedelta(minutes=2)

MatchedBy = Literal["message_id", "conversation_index", "in_reply_to", "references"]


@dataclass(frozen=True, slots=True)
class Ancestor:
    """An accepted copy: what descends from it is accepted too."""

    internet_message_id: str | None
    conversation_index: bytes
    depth: int
    received_at: datetime | None


@dataclass(frozen=True, slots=True)
class Descent:
    """How far below the retracted message a copy is, and what shows it."""

    depth: int
    matched_by: MatchedBy


def descendants(
    items: Sequence[FoundCopy],
    accepted: Sequence[Ancestor],
    *,
    max_depth: int,
    trust_message_ids: bool = True,
) -> list[tuple[FoundCopy, Descent]]:
    """Return the items that descend from accepted ones, at most `max_depth` deep, parents first.

    `trust_message_ids=False` (a colliding Message-ID) leaves only the conversation index to go by.
    """
    ancestors = list(accepted)
    known = {ancestor.internet_message_id for ancestor in accepted}
    remaining = [item for item in items if item.internet_message_id not in known]
    usable = _unshared_indexes(ancestors, remaining)
    found: list[tuple[FoundCopy, Descent]] = []
    for _ in range(max_depth):  # each pass may accept the parents of the next
        accepted_now = []
        for item in remaining:
            descent = _descent(item, ancestors, usable, trust_message_ids)
            if descent is not None and descent.depth <= max_depth:
                accepted_now.append((item, descent))
        if not accepted_now:
            break
        taken = {id(item) for item, _ in accepted_now}
        remaining = [item for item in remaining if id(item) not in taken]
        ancestors += [as_ancestor(item, descent.depth) for item, descent in accepted_now]
        found += accepted_now
    return sorted(found, key=lambda pair: pair[1].depth)


def as_ancestor(item: FoundCopy, depth: int) -> Ancestor:
    """Return an accepted item as the ancestor of further ones."""
    return Ancestor(item.internet_message_id, item.conversation_index, depth, item.received_at)


def _unshared_indexes(
    ancestors: Iterable[Ancestor], others: Iterable[FoundCopy]
) -> frozenset[bytes]:
    """Return the ancestors' indexes that no stranger in the conversation carries too.

    An attacker may copy the Thread-Index of an innocent message: then its index says nothing.
    """
    strangers = {item.conversation_index for item in others}
    return frozenset(
        ancestor.conversation_index
        for ancestor in ancestors
        if is_index(ancestor.conversation_index) and ancestor.conversation_index not in strangers
    )


def is_index(index: bytes) -> bool:
    """Return whether these bytes are a conversation index that can be reasoned with."""
    return (
        len(index) >= ROOT_INDEX_BYTES
        and index[0] == 1
        and (len(index) - ROOT_INDEX_BYTES) % REPLY_INDEX_BYTES == 0
    )


def _descent(
    item: FoundCopy,
    ancestors: Sequence[Ancestor],
    usable: frozenset[bytes],
    trust_message_ids: bool,
) -> Descent | None:
    older = [ancestor for ancestor in ancestors if _may_descend(item, ancestor)]
    by_index = _by_index(item, older, usable)
    if by_index is not None or not trust_message_ids:
        return by_index
    by_id = {ancestor.internet_message_id: ancestor for ancestor in older}
    parent = by_id.get(item.in_reply_to) if item.in_reply_to else None
    if parent is not None:
        return Descent(parent.depth + 1, "in_reply_to")
    for place, reference in enumerate(reversed(item.references)):
        if reference in by_id:
            return Descent(by_id[reference].depth + place + 1, "references")
    return None


def _by_index(
    item: FoundCopy, ancestors: Sequence[Ancestor], usable: frozenset[bytes]
) -> Descent | None:
    index = item.conversation_index
    if not is_index(index):
        return None
    for ancestor in sorted(ancestors, key=lambda one: -len(one.conversation_index)):
        prefix = ancestor.conversation_index
        if prefix in usable and len(index) > len(prefix) and index.startswith(prefix):
            steps = (len(index) - len(prefix)) // REPLY_INDEX_BYTES
            return Descent(ancestor.depth + steps, "conversation_index")
    return None


def _may_descend(item: FoundCopy, ancestor: Ancestor) -> bool:
    if item.received_at is None or ancestor.received_at is None:
        return True
    return item.received_at >= ancestor.received_at - _CLOCK_TOLERANCE
