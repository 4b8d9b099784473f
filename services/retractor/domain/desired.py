"""Which command decides where a copy belongs (DESIGN: Order; capability C6)."""

from dataclasses import dataclass

from libs.common.contracts.retraction import Destination

#: How far away from the user a destination is; a higher one is harsher.
HARSHNESS = {
    Destination.NONE: 0,
    Destination.ORIGINAL: 0,
    Destination.JUNK: 1,
    Destination.TRASH: 2,
    Destination.SOFT_DELETE: 3,
    Destination.HARD_DELETE: 4,
}

EXEMPT = "exempt"
SUPERSEDED = "superseded"
NEVER_WEAKENED = "never_weakened"


@dataclass(frozen=True, slots=True)
class Wish:
    """Where one accepted command wants a copy."""

    destination: Destination
    #: From Postgres: a later accepted command has a higher one.
    sequence: int
    #: The classifier asked, not a person.
    automatic: bool


@dataclass(frozen=True, slots=True)
class CopyState:
    """The one desired state of a copy, and what we know of how it got there."""

    wish: Wish
    #: A person brought it back: only a person may touch it again.
    exempt: bool
    #: The last folder that was not of our choosing, and the read state there.
    origin_folder: str | None
    origin_was_read: bool | None
    #: Where our last move put it.
    put_into: str | None


def objection(current: CopyState | None, wish: Wish) -> str | None:
    """Return why `wish` must not be carried out on a copy in this state; None where it may.

    A person beats the machine; of persons the newest wins, of the machine's verdicts the harshest,
    whichever a worker comes to first. The same command again (same sequence) is never an objection.
    """
    if current is None or current.wish.sequence == wish.sequence:
        return None
    if not wish.automatic:
        is_older = wish.sequence < current.wish.sequence
        return SUPERSEDED if is_older and not current.wish.automatic else None
    if current.exempt:
        return EXEMPT
    if not current.wish.automatic:
        return SUPERSEDED
    return _objection_of_machine(current.wish, wish)


def _objection_of_machine(current: Wish, wish: Wish) -> str | None:
    if is_milder(current.destination, wish.destination):
        return None
    if wish.sequence < current.sequence:
        return SUPERSEDED
    return NEVER_WEAKENED if is_milder(wish.destination, current.destination) else None


def is_milder(one: Destination, other: Destination) -> bool:
    """Return whether `one` is nearer to the user than `other`."""
    return HARSHNESS[one] < HARSHNESS[other]


def origin_of(current: CopyState | None, folder_now: str, is_read: bool) -> tuple[str, bool]:
    """Return (folder, was read) that a restore goes back to.

    That is where the copy lies now, unless we put it there ourselves: then where it was before.
    """
    if current is not None and current.put_into == folder_now and current.origin_folder:
        return current.origin_folder, bool(current.origin_was_read)
    return folder_now, is_read
