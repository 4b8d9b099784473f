"""A mailbox: folders, copies, and the moves between them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from typing import Literal

from libs.graph_simulator.world import ids
from libs.graph_simulator.world.folders import (
    DELETIONS,
    FIRST_OWN_NUMBER,
    NAMES,
    NUMBERS,
    PURGES,
    ROOT,
    WELL_KNOWN,
    Folder,
)
from libs.graph_simulator.world.items import FolderChange, Item

Kind = Literal[
    "user",
    "shared",
    "room",
    "on_premises",
    "soft_deleted",
    "no_mailbox",
    "out_of_scope",
    "out_of_policy",
]
#: Graph has nothing for these.
WITHOUT_CLOUD_MAILBOX = frozenset({"on_premises", "soft_deleted", "no_mailbox"})
Actor = Literal["application", "user", "simulator"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """The sender was told what became of the copy: the attacker has learnt something."""

    at: datetime
    mailbox: str
    internet_message_id: str
    kind: Literal["read", "deleted_unread"]


class Mailbox:
    """One mailbox and the directory's entry for it."""

    def __init__(
        self,
        *,
        object_id: str,
        guid: str,
        store: bytes,
        address: str,
        aliases: Iterable[str] = (),
        display_name: str = "",
        kind: Kind = "user",
        compress_ids: bool = False,
    ) -> None:
        self.object_id = object_id
        self.guid = guid
        self.store = store
        self.address = address
        self.aliases = tuple(aliases)
        self.display_name = display_name or address.partition("@")[0]
        self.kind: Kind = kind
        self.receipts: list[Receipt] = []
        self._compress_ids = compress_ids
        self._folders: dict[int, Folder] = {}
        self._items: dict[int, Item] = {}
        self._by_current: dict[int, Item] = {}
        self._by_message_id: dict[str, list[Item]] = {}
        self._by_conversation: dict[bytes, list[Item]] = {}
        self._numbers = count(0x2001)
        self._folder_numbers = count(FIRST_OWN_NUMBER)

    # Folders

    def well_known(self, name: str) -> Folder:
        """Return a folder that every mailbox has. KeyError if there is no such name."""
        number = NUMBERS[name]
        folder = self._folders.get(number)
        if folder is None:
            known = WELL_KNOWN[name]
            parent = NUMBERS[known.parent] if known.parent else None
            folder = Folder(number, known.display_name, parent, name, known.is_hidden)
            self._folders[number] = folder
        return folder

    def folder(self, number: int) -> Folder | None:
        """Return the folder of that number."""
        name = NAMES.get(number)
        return self.well_known(name) if name else self._folders.get(number)

    def create_folder(self, path: str) -> Folder:
        """Create `Projects` or `Projects/2026` below the root; one that exists is returned."""
        parent = self.well_known(ROOT)
        for part in filter(None, path.split("/")):
            parent = self.child(parent, part) or self._new_folder(parent, part)
        return parent

    def child(self, parent: Folder, display_name: str) -> Folder | None:
        """Return the folder of that name below `parent`, in any case of letters."""
        wanted = display_name.casefold()
        return next((f for f in self.children(parent) if f.display_name.casefold() == wanted), None)

    def children(self, parent: Folder) -> list[Folder]:
        """Return the folders directly below, well-known ones first."""
        for name in WELL_KNOWN:
            self.well_known(name)
        below = [folder for folder in self._folders.values() if folder.parent == parent.number]
        return sorted(below, key=lambda folder: folder.number)

    def items_in(self, folder: Folder) -> list[Item]:
        """Return the copies directly in a folder."""
        return [item for item in self._items.values() if item.folder == folder.number]

    def is_recoverable(self, item: Item) -> bool:
        """Whether a copy lies in Recoverable Items, where `/messages` does not look."""
        folder = self.folder(item.folder)
        return folder is not None and folder.is_recoverable

    def _new_folder(self, parent: Folder, display_name: str) -> Folder:
        folder = Folder(next(self._folder_numbers), display_name, parent.number)
        self._folders[folder.number] = folder
        return folder

    # Copies

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items.values())

    def with_message_id(self, internet_message_id: str) -> list[Item]:
        """Return the copies of that Message-ID in any case of letters, in every folder."""
        return list(self._by_message_id.get(internet_message_id.casefold(), ()))

    def in_conversation(self, conversation: bytes) -> list[Item]:
        """Return the copies of that conversation, in every folder."""
        return list(self._by_conversation.get(conversation, ()))

    def add(self, item: Item) -> Item:
        """Put a copy in. Its numbers are given here."""
        number = next(self._numbers)
        item.number = item.current = number
        self._items[number] = self._by_current[number] = item
        key = item.message.internet_message_id.casefold()
        self._by_message_id.setdefault(key, []).append(item)
        self._by_conversation.setdefault(item.conversation, []).append(item)
        return item

    def move(self, item: Item, target: Folder, at: datetime, by: Actor) -> None:
        """Put a copy elsewhere: its ordinary id changes, its immutable one does not."""
        before = self.folder_name(item.folder)
        item.modified_at = at
        item.changes += 1
        if target.number == item.folder:
            return
        if target.well_known == "deleteditems" or target.is_recoverable:
            item.last_active_folder = item.folder
            self._tell_deleted(item, at)
        del self._by_current[item.current]
        item.current = next(self._numbers)
        self._by_current[item.current] = item
        item.folder = target.number
        item.moved_at = at
        item.history.append(FolderChange(at, before, self.folder_name(target.number), by))

    def copy(self, item: Item, target: Folder, at: datetime) -> Item:
        """Put a second copy into a folder."""
        twin = replace(
            item,
            folder=target.number,
            modified_at=at,
            moved_at=None,
            changes=0,
            history=[],
            extended=dict(item.extended),
        )
        return self.add(twin)

    def remove(self, item: Item) -> None:
        """Make a copy vanish, as the end of retention does."""
        del self._items[item.number], self._by_current[item.current]
        self._by_message_id[item.message.internet_message_id.casefold()].remove(item)
        self._by_conversation[item.conversation].remove(item)

    def mark_read(self, item: Item, is_read: bool, at: datetime) -> None:
        """Set the read flag; the first reading answers a read receipt that was asked for."""
        if is_read and not item.is_read and item.wants_read_receipt:
            self._tell(item, at, "read")
        item.is_read = is_read
        item.modified_at = at
        item.changes += 1

    def deletions(self) -> Folder:
        """Recoverable Items, where users find what they deleted."""
        return self.well_known(DELETIONS)

    def purges(self) -> Folder:
        """Recoverable Items, where only administrators look."""
        return self.well_known(PURGES)

    def _tell_deleted(self, item: Item, at: datetime) -> None:
        if not item.is_read and (item.wants_read_receipt or item.wants_non_receipt):
            self._tell(item, at, "deleted_unread")

    def _tell(self, item: Item, at: datetime, kind: Literal["read", "deleted_unread"]) -> None:
        if item.is_receipt_sent or item.is_sent:
            return
        item.is_receipt_sent = True
        self.receipts.append(Receipt(at, self.address, item.message.internet_message_id, kind))

    # Names and ids

    @property
    def addresses(self) -> tuple[str, ...]:
        """Its address and aliases."""
        return (self.address, *self.aliases)

    def folder_name(self, number: int) -> str:
        """The well-known name in lower case, or the path of display names."""
        folder = self.folder(number)
        if folder is None or folder.well_known:
            return (folder.well_known or "") if folder else ""
        above = self.folder_name(folder.parent) if folder.parent else ROOT
        return folder.display_name if above == ROOT else f"{above}/{folder.display_name}"

    def id_of_folder(self, number: int) -> str:
        """Graph's id of a folder."""
        return ids.folder_id(self.guid, self.store, number, compress=self._compress_ids)

    def id_of(self, item: Item, *, immutable: bool) -> str:
        """Graph's id of a copy, in the form that was asked for."""
        if immutable:
            return ids.immutable_id(self.store, item.number)
        return ids.item_id(
            self.guid, self.store, item.folder, item.current, compress=self._compress_ids
        )

    def conversation_id(self, item: Item) -> str:
        """Graph's id of a copy's conversation, which holds in this mailbox only."""
        return ids.conversation_id(self.guid, item.conversation, compress=self._compress_ids)

    def find_item(self, parsed: ids.ParsedId) -> Item | None:
        """Look a copy up by an id of either form; None if it has moved or is elsewhere."""
        number = int.from_bytes(parsed.payload[-8:-2], "big")
        if parsed.kind == "immutable":
            is_ours = parsed.payload[-24:-8] == self.store
            return self._items.get(number) if is_ours else None
        item = self._by_current.get(number) if parsed.kind == "item" else None
        folder = int.from_bytes(parsed.payload[-32:-26], "big")
        return item if item is not None and item.folder == folder else None

    def find_folder(self, parsed: ids.ParsedId) -> Folder | None:
        """Look a folder up by its id."""
        if parsed.kind != "folder":
            return None
        return self.folder(int.from_bytes(parsed.payload[-8:-2], "big"))
