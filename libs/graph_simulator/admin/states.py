"""The truth about every copy, for assertions."""

import base64
from dataclasses import asdict, dataclass, is_dataclass
from datetime import datetime

from libs.graph_simulator.world.delivery import Delivery
from libs.graph_simulator.world.directory import Tenant, World
from libs.graph_simulator.world.items import FolderChange, Item
from libs.graph_simulator.world.mailbox import Mailbox


@dataclass(frozen=True, slots=True)
class CopyState:
    """One copy in one mailbox. Instants are the simulator's clock's."""

    tenant: str
    mailbox: str
    mailbox_kind: str
    user_id: str
    #: Well-known name in lower case, or the path of display names.
    folder: str
    folder_id: str
    graph_message_id: str
    immutable_id: str
    internet_message_id: str
    subject: str
    is_read: bool
    is_sent: bool
    categories: tuple[str, ...]
    wants_read_receipt: bool
    wants_non_receipt: bool
    conversation_id: str
    conversation_guid: str
    conversation_index: str
    #: Answers between it and the message that began the conversation.
    conversation_depth: int
    delivered_at: datetime
    #: The last change of folder; None while it lies where it was delivered.
    moved_at: datetime | None
    history: tuple[FolderChange, ...]


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What a delivery did."""

    number: int
    internet_message_id: str
    delivered_at: datetime
    copies: tuple[CopyState, ...]
    elsewhere: tuple[str, ...]


def copy_state(tenant: Tenant, mailbox: Mailbox, item: Item) -> CopyState:
    """Describe one copy."""
    return CopyState(
        tenant=tenant.id,
        mailbox=mailbox.address,
        mailbox_kind=mailbox.kind,
        user_id=mailbox.object_id,
        folder=mailbox.folder_name(item.folder),
        folder_id=mailbox.id_of_folder(item.folder),
        graph_message_id=mailbox.id_of(item, immutable=False),
        immutable_id=mailbox.id_of(item, immutable=True),
        internet_message_id=item.message.internet_message_id,
        subject=item.message.subject,
        is_read=item.is_read,
        is_sent=item.is_sent,
        categories=item.categories,
        wants_read_receipt=item.wants_read_receipt,
        wants_non_receipt=item.wants_non_receipt,
        conversation_id=mailbox.conversation_id(item),
        conversation_guid=item.conversation.hex(),
        conversation_index=base64.b64encode(item.conversation_index).decode("ascii"),
        conversation_depth=(len(item.conversation_index) - 22) // 5,
        delivered_at=item.delivered_at,
        moved_at=item.moved_at,
        history=tuple(item.history),
    )


def all_copies(
    world: World,
    *,
    internet_message_id: str | None = None,
    mailbox: str | None = None,
    tenant: str | None = None,
) -> list[CopyState]:
    """Describe all copies, or those asked for, in order of tenants, mailboxes and arrival."""
    found: list[CopyState] = []
    for owner, box in world.mailboxes():
        wrong_mailbox = mailbox is not None and mailbox.lower() not in map(str.lower, box.addresses)
        if wrong_mailbox or (tenant is not None and owner.id != tenant.lower()):
            continue
        items = (
            list(box) if internet_message_id is None else box.with_message_id(internet_message_id)
        )
        found.extend(copy_state(owner, box, item) for item in items)
    return found


def report(delivery: Delivery) -> DeliveryReport:
    """Describe a delivery with its copies as they are now."""
    return DeliveryReport(
        number=delivery.number,
        internet_message_id=delivery.internet_message_id,
        delivered_at=delivery.delivered_at,
        copies=tuple(copy_state(one.tenant, one.mailbox, one.item) for one in delivery.copies),
        elsewhere=delivery.elsewhere,
    )


def jsonable(value: object) -> object:
    """Turn states into JSON's kinds; instants become ISO 8601."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if is_dataclass(value) and not isinstance(value, type):
        return jsonable(asdict(value))
    if isinstance(value, dict):
        return {key: jsonable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(one) for one in value]
    return value
