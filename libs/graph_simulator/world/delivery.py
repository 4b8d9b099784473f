"""How mail gets into mailboxes: one copy per internal recipient, one in the sender's Sent Items."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.graph_simulator.world import conversations
from libs.graph_simulator.world.directory import Tenant, World
from libs.graph_simulator.world.items import Item
from libs.graph_simulator.world.mailbox import WITHOUT_CLOUD_MAILBOX, Mailbox
from libs.graph_simulator.world.messages import Message, read, with_message_id, without_bcc


@dataclass(frozen=True, slots=True)
class Placed:
    """One copy and where it lies."""

    tenant: Tenant
    mailbox: Mailbox
    item: Item


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one message became. `mime` is as stored: with a Message-ID, without Bcc."""

    number: int
    mime: bytes
    mail_from: str
    rcpt_to: tuple[str, ...]
    internet_message_id: str
    delivered_at: datetime
    copies: tuple[Placed, ...]
    #: Recipients that have no cloud mailbox here.
    elsewhere: tuple[str, ...]


class PostOffice:
    """Delivers, tells who wants to know, and remembers."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._listeners: list[Callable[[Delivery], None]] = []
        self.deliveries: list[Delivery] = []

    def subscribe(self, listener: Callable[[Delivery], None]) -> None:
        """Have each delivery told, after its copies lie in the mailboxes."""
        self._listeners.append(listener)

    def deliver(self, mime: bytes, mail_from: str, rcpt_to: Sequence[str]) -> Delivery:
        """Put a message into every mailbox it is for."""
        world = self._world
        if not read(mime).internet_message_id:
            domain = mail_from.partition("@")[2] or "prod.outlook.example"
            mime = with_message_id(mime, f"<{world.new_guid()}@{domain}>")
        as_sent = read(mime)
        as_received = read(without_bcc(mime))
        now = world.clock.now()
        conversation = _Conversation(world, as_sent, now)
        copies: list[Placed] = []
        elsewhere: list[str] = []
        reached: set[str] = set()
        for address in dict.fromkeys(address.lower() for address in rcpt_to):
            found = world.find_address(address)
            if found is None or found[1].kind in WITHOUT_CLOUD_MAILBOX:
                elsewhere.append(address)
            elif found[1].object_id not in reached:
                reached.add(found[1].object_id)
                item = conversation.item(as_received)
                copies.append(_place(found, item, "inbox"))
        sender = world.find_address(mail_from)
        if sender is not None and sender[1].kind not in WITHOUT_CLOUD_MAILBOX:
            item = conversation.item(as_sent)
            item.is_sent = item.is_read = True
            copies.append(_place(sender, item, "sentitems"))
        delivery = Delivery(
            number=len(self.deliveries) + 1,
            mime=as_received.mime,
            mail_from=mail_from,
            rcpt_to=tuple(rcpt_to),
            internet_message_id=as_sent.internet_message_id,
            delivered_at=now,
            copies=tuple(copies),
            elsewhere=tuple(elsewhere),
        )
        self.deliveries.append(delivery)
        for listener in self._listeners:
            listener(delivery)
        return delivery


class _Conversation:
    """Which conversation each copy of one message belongs to."""

    def __init__(self, world: World, message: Message, at: datetime) -> None:
        self._world = world
        self._at = at
        self._index = conversations.from_thread_index(message.first("Thread-Index"))
        topic = message.first("Thread-Topic") or message.subject
        mode = world.options.new_conversation
        if self._index is None and mode != "per_mailbox":
            hashed = mode == "topic_hash"
            guid = conversations.topic_hash(topic) if hashed else self._new_guid()
            self._index = conversations.new_index(at, guid)

    def item(self, message: Message) -> Item:
        """Make a copy that no mailbox holds yet."""
        index = self._index or conversations.new_index(self._at, self._new_guid())
        return Item(
            message=message,
            number=0,
            current=0,
            folder=0,
            conversation_index=index,
            conversation=conversations.guid_of(index),
            delivered_at=self._at,
            modified_at=self._at,
            importance=_importance(message),
            wants_read_receipt=message.asks_for_receipt,
            wants_non_receipt=message.asks_for_receipt,
        )

    def _new_guid(self) -> bytes:
        return UUID(self._world.new_guid()).bytes


def _place(where: tuple[Tenant, Mailbox], item: Item, folder: str) -> Placed:
    tenant, mailbox = where
    item.folder = mailbox.well_known(folder).number
    return Placed(tenant, mailbox, mailbox.add(item))


def _importance(message: Message) -> str:
    value = (message.first("Importance") or "").lower()
    return value if value in {"low", "high"} else "normal"
