"""Mailboxes in memory. Twin of `services.retractor.adapters.graph.mailboxes.GraphMailboxes`."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from libs.common.errors import PermanentError
from services.retractor.domain.mail import FoundCopy, Mailbox
from services.retractor.ports.mailboxes import Folder, Move, Moved

_HIDDEN = (Folder.DELETIONS, Folder.PURGES)


async def _nothing(operation: str) -> None:
    """Let it happen."""


@dataclass
class FakeMailbox:
    """One user's items by their immutable ids, and the ids of its folders."""

    user_id: str
    items: dict[str, FoundCopy] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folders |= {folder.value: f"{self.user_id}/{folder.value}" for folder in Folder}


class FakeMailboxes:
    """See `Mailboxes`."""

    def __init__(self) -> None:
        self.mailboxes: dict[tuple[str, str], FakeMailbox] = {}
        #: Called with the name of each operation before it; what it raises, the caller gets.
        self.before: Callable[[str], Awaitable[None]] = _nothing

    def add(self, tenant: str, address: str) -> FakeMailbox:
        """Let there be a mailbox."""
        made = FakeMailbox(user_id=f"user-{len(self.mailboxes)}")
        self.mailboxes[tenant, address.lower()] = made
        return made

    def put(self, tenant: str, address: str, item: FoundCopy) -> None:
        """Put an item into a mailbox."""
        self.mailboxes[tenant, address.lower()].items[item.graph_message_id] = item

    def alias(self, tenant: str, alias: str, address: str) -> None:
        """Let another address lead to a mailbox."""
        self.mailboxes[tenant, alias.lower()] = self.mailboxes[tenant, address.lower()]

    async def resolve(self, tenant: str, address: str) -> Mailbox | None:
        """See `Directory.resolve`."""
        await self.before("resolve")
        found = self.mailboxes.get((tenant, address.lower()))
        return None if found is None else Mailbox(tenant, address, found.user_id)

    async def addresses(self, mailbox: Mailbox) -> Sequence[str]:
        """See `Directory.addresses`."""
        await self.before("addresses")
        self._of(mailbox)
        known = {at for (_, at), box in self.mailboxes.items() if box.user_id == mailbox.user_id}
        return sorted({mailbox.address.lower(), *known})

    async def folders(self, mailbox: Mailbox, names: Sequence[Folder]) -> Mapping[Folder, str]:
        """See `Directory.folders`."""
        await self.before("folders")
        known = self._of(mailbox).folders
        return {name: known[name.value] for name in names if name.value in known}

    async def with_message_id(
        self, mailbox: Mailbox, internet_message_id: str, *, within: Folder | None = None
    ) -> Sequence[FoundCopy]:
        """See `Reading.with_message_id`."""
        await self.before("with_message_id")
        return [
            item
            for item in self._seen(mailbox, within)
            if item.internet_message_id == internet_message_id
        ]

    async def in_conversation(self, mailbox: Mailbox, conversation_id: str) -> Sequence[FoundCopy]:
        """See `Reading.in_conversation`."""
        await self.before("in_conversation")
        return [
            item for item in self._seen(mailbox, None) if item.conversation_id == conversation_id
        ]

    async def look_up(self, mailbox: Mailbox, graph_message_id: str) -> FoundCopy | None:
        """See `Reading.look_up`."""
        await self.before("look_up")
        return self._of(mailbox).items.get(graph_message_id)

    async def move(self, mailbox: Mailbox, graph_message_id: str, folder: str) -> Move:
        """See `Writing.move`."""
        await self.before("move")
        box = self._of(mailbox)
        target = box.folders.get(folder, folder)
        item = box.items.get(graph_message_id)
        if item is None:
            return Move(Moved.GONE)
        if target not in box.folders.values():
            return Move(Moved.NO_FOLDER)
        if item.folder_id == box.folders[Folder.PURGES.value] != target:
            return Move(Moved.BEYOND)
        box.items[graph_message_id] = replace(item, folder_id=target)
        return Move(Moved.DONE, target)

    async def purge(self, mailbox: Mailbox, graph_message_id: str) -> Move:
        """See `Writing.purge`."""
        return await self.move(mailbox, graph_message_id, Folder.PURGES.value)

    async def mark(
        self,
        mailbox: Mailbox,
        graph_message_id: str,
        *,
        is_read: bool | None = None,
        no_receipt: bool = False,
    ) -> bool:
        """See `Writing.mark`."""
        await self.before("mark")
        box = self._of(mailbox)
        item = box.items.get(graph_message_id)
        if item is None:
            return False
        box.items[graph_message_id] = replace(
            item,
            is_read=item.is_read if is_read is None else is_read,
            receipt_requested=item.receipt_requested and not no_receipt,
        )
        return True

    def _seen(self, mailbox: Mailbox, within: Folder | None) -> list[FoundCopy]:
        box = self._of(mailbox)
        if within is not None:
            inside = {box.folders.get(within.value)}
            return [item for item in box.items.values() if item.folder_id in inside]
        hidden = {box.folders.get(folder.value) for folder in _HIDDEN}
        return [item for item in box.items.values() if item.folder_id not in hidden]

    def _of(self, mailbox: Mailbox) -> FakeMailbox:
        for box in self.mailboxes.values():
            if box.user_id == mailbox.user_id:
                return box
        raise PermanentError("mailbox_not_found")
