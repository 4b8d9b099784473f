"""Entries become links: numbered without gaps, each bound to the one before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.audit.domain.record import Entry, Head, Link, personal_hash, row_hash

#: (publisher, message_id) → hashes of the bodies recorded under it, None for an erased one.
Known = Mapping[tuple[str, str], Sequence[bytes | None]]


class Recording(StrEnum):
    """What became of an entry."""

    RECORDED = "recorded"
    #: Recorded before, by the same publisher with the same body: nothing was added.
    DUPLICATE = "duplicate"
    #: Recorded, beside another body under the same key.
    CONFLICTING = "conflicting"


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction adds to the log."""

    links: tuple[tuple[Entry, Link], ...]
    heads: tuple[Head, ...]
    #: One per entry, in their order.
    recordings: tuple[Recording, ...]


def append(entries: Sequence[Entry], heads: Mapping[str, Head], known: Known) -> Batch:
    """Give each new entry its place after the head of its chain.

    A body that has been erased cannot be compared with what comes again under its key: that is
    kept as another one, so that nothing is lost.
    """
    ends = dict(heads)
    bodies = {key: list(hashes) for key, hashes in known.items()}
    links: list[tuple[Entry, Link]] = []
    recordings: list[Recording] = []
    for entry in entries:
        seen = bodies.setdefault(entry.key, [])
        recording = _judge(entry, seen)
        recordings.append(recording)
        if recording is Recording.DUPLICATE:
            continue
        seen.append(entry.body_sha256)
        placed = entry.conflicting(len(seen)) if recording is Recording.CONFLICTING else entry
        link = _link(placed, ends[entry.chain])
        ends[entry.chain] = Head(link.chain, link.number, link.row_hash)
        links.append((placed, link))
    moved = tuple(head for chain, head in sorted(ends.items()) if head != heads[chain])
    return Batch(tuple(links), moved, tuple(recordings))


def _judge(entry: Entry, seen: Sequence[bytes | None]) -> Recording:
    if not seen:
        return Recording.RECORDED
    return Recording.DUPLICATE if entry.body_sha256 in seen else Recording.CONFLICTING


def _link(entry: Entry, head: Head) -> Link:
    hidden = personal_hash(entry.salt, entry.personal)
    return Link(
        chain=head.chain,
        number=head.number + 1,
        previous_hash=head.row_hash,
        personal_hash=hidden,
        row_hash=row_hash(head, entry.properties, entry.public, hidden),
    )
