"""Tells replies and forwards of an accepted message from the rest of its thread (capability D3).

A conversation catches too much (the whole thread, innocent parents included) and its headers are
written by senders, so every relation is checked ([MS-OXOMSG] 2.2.1.2; RFC 5322 §3.6.4).
"""

from collections.abc import Collection, Iterable, Sequence
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
    line = _Line(trust_message_ids=trust_message_ids)
    known = {ancestor.internet_message_id for ancestor in accepted}
    remaining = [item for item in items if item.internet_message_id not in known]
    line.add(accepted, strangers={item.conversation_index for item in remaining})
    found: list[tuple[FoundCopy, Descent]] = []
    for _ in range(max_depth):  # each pass may accept the parents of the next
        judged = [(item, line.descent_of(item)) for item in remaining]
        fresh = [(item, how) for item, how in judged if how is not None and how.depth <= max_depth]
        if not fresh:
            break
        taken = {item.graph_message_id for item, _ in fresh}
        remaining = [item for item in remaining if item.graph_message_id not in taken]
        # Each was judged by its parents; that two of them share an index is no theft any more.
        line.add([as_ancestor(item, how.depth) for item, how in fresh], strangers=frozenset())
        found += fresh
    return sorted(found, key=lambda pair: pair[1].depth)


def as_ancestor(item: FoundCopy, depth: int) -> Ancestor:
    """Return an accepted item as the ancestor of further ones."""
    return Ancestor(item.internet_message_id, item.conversation_index, depth, item.received_at)


def is_index(index: bytes) -> bool:
    """Return whether these bytes are a conversation index that can be reasoned with."""
    return (
        len(index) >= ROOT_INDEX_BYTES
        and index[0] == 1
        and (len(index) - ROOT_INDEX_BYTES) % REPLY_INDEX_BYTES == 0
    )


class _Line:
    """The accepted ancestors, found by what their descendants carry.

    By look-ups only: threads are as long as their senders make them.
    """

    def __init__(self, *, trust_message_ids: bool) -> None:
        self._trust_message_ids = trust_message_ids
        self._by_id: dict[str, Ancestor] = {}
        self._by_index: dict[bytes, Ancestor] = {}

    def add(self, ancestors: Iterable[Ancestor], strangers: Collection[bytes]) -> None:
        """Add ancestors; an index that a stranger in the conversation carries too is no use.

        An attacker may copy the Thread-Index of an innocent message: then it says nothing.
        """
        for ancestor in ancestors:
            if ancestor.internet_message_id:
                self._by_id.setdefault(ancestor.internet_message_id, ancestor)
            index = ancestor.conversation_index
            if is_index(index) and index not in strangers:
                self._by_index.setdefault(index, ancestor)

    def descent_of(self, item: FoundCopy) -> Descent | None:
        """Return how an item descends from an ancestor; None where nothing shows that it does."""
        by_index = self._by_conversation_index(item)
        if by_index is not None or not self._trust_message_ids:
            return by_index
        parent = self._by_id.get(item.in_reply_to or "")
        if parent is not None and _may_descend(item, parent):
            return Descent(parent.depth + 1, "in_reply_to")
        for place, reference in enumerate(reversed(item.references)):
            ancestor = self._by_id.get(reference)
            if ancestor is not None and _may_descend(item, ancestor):
                return Descent(ancestor.depth + place + 1, "references")
        return None

    def _by_conversation_index(self, item: FoundCopy) -> Descent | None:
        index = item.conversation_index
        if not is_index(index):
            return None
        nearest = len(index) - REPLY_INDEX_BYTES
        for length in range(nearest, ROOT_INDEX_BYTES - 1, -REPLY_INDEX_BYTES):
            ancestor = self._by_index.get(index[:length])
            if ancestor is not None and _may_descend(item, ancestor):
                steps = (len(index) - length) // REPLY_INDEX_BYTES
                return Descent(ancestor.depth + steps, "conversation_index")
        return None


def _may_descend(item: FoundCopy, ancestor: Ancestor) -> bool:
    if item.received_at is None or ancestor.received_at is None:
        return True
    return item.received_at >= ancestor.received_at - _CLOCK_TOLERANCE
