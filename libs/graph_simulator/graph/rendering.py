"""Messages, folders and users as Graph writes them."""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from libs.graph_simulator.graph.errors import no_such_property
from libs.graph_simulator.world.folders import Folder
from libs.graph_simulator.world.items import Item
from libs.graph_simulator.world.mailbox import Mailbox
from libs.graph_simulator.world.messages import Person

_TAG = re.compile(r"<[^>]{0,2000}>")
_PREVIEW_CHARACTERS = 255


@dataclass(frozen=True, slots=True)
class Shown:
    """A copy that somebody looks at."""

    mailbox: Mailbox
    item: Item
    immutable: bool

    @property
    def id(self) -> str:
        """Its id in the form that was asked for."""
        return self.mailbox.id_of(self.item, immutable=self.immutable)

    @property
    def change_key(self) -> str:
        """Another one after each change."""
        raw = bytes([9, 0, 0, 0, 0x16, 0, 0, 0]) + self.mailbox.store
        number = (self.item.number << 24) + self.item.changes
        return base64.b64encode(raw + number.to_bytes(8, "big")).decode("ascii")


def stamp(at: datetime | None) -> str | None:
    """Write an instant to the second."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else None


def _recipient(person: Person) -> dict[str, object]:
    name = person.name or person.address
    return {"emailAddress": {"name": name, "address": person.address}}


def _first(people: tuple[Person, ...]) -> dict[str, object] | None:
    return _recipient(people[0]) if people else None


def _people(header: str) -> Callable[[Shown], object]:
    return lambda shown: [_recipient(one) for one in shown.item.message.people(header)]


def _sender(shown: Shown) -> object:
    message = shown.item.message
    return _first(message.people("Sender") or message.people("From"))


def _preview(shown: Shown) -> str:
    text = _TAG.sub(" ", shown.item.message.body[1])
    return " ".join(text.split())[:_PREVIEW_CHARACTERS]


def _body(shown: Shown) -> object:
    kind, text = shown.item.message.body
    return {"contentType": kind, "content": text}


def _web_link(shown: Shown) -> str:
    return f"https://outlook.office365.com/owa/?ItemID={quote(shown.id)}&exvsurl=1"


_MESSAGE: Mapping[str, Callable[[Shown], object]] = {
    "id": lambda shown: shown.id,
    "createdDateTime": lambda shown: stamp(shown.item.delivered_at),
    "lastModifiedDateTime": lambda shown: stamp(shown.item.modified_at),
    "changeKey": lambda shown: shown.change_key,
    "categories": lambda shown: list(shown.item.categories),
    "receivedDateTime": lambda shown: stamp(shown.item.delivered_at),
    "sentDateTime": lambda shown: stamp(shown.item.message.sent_at or shown.item.delivered_at),
    "hasAttachments": lambda shown: shown.item.message.has_attachments,
    "internetMessageId": lambda shown: shown.item.message.internet_message_id,
    "subject": lambda shown: shown.item.message.subject,
    "bodyPreview": _preview,
    "importance": lambda shown: shown.item.importance,
    "parentFolderId": lambda shown: shown.mailbox.id_of_folder(shown.item.folder),
    "conversationId": lambda shown: shown.mailbox.conversation_id(shown.item),
    "conversationIndex": lambda shown: base64.b64encode(shown.item.conversation_index).decode(),
    "isDeliveryReceiptRequested": lambda shown: shown.item.wants_delivery_receipt,
    "isReadReceiptRequested": lambda shown: shown.item.wants_read_receipt,
    "isRead": lambda shown: shown.item.is_read,
    "isDraft": lambda _: False,
    "webLink": _web_link,
    "inferenceClassification": lambda _: "focused",
    "body": _body,
    "sender": _sender,
    "from": lambda shown: _first(shown.item.message.people("From")),
    "toRecipients": _people("To"),
    "ccRecipients": _people("Cc"),
    "bccRecipients": _people("Bcc"),
    "replyTo": _people("Reply-To"),
    "flag": lambda shown: {"flagStatus": shown.item.flag},
}
#: Only where `$select` names them.
_ON_DEMAND: Mapping[str, Callable[[Shown], object]] = {
    "internetMessageHeaders": lambda shown: [
        {"name": name, "value": value} for name, value in shown.item.message.headers
    ],
    "uniqueBody": _body,
}
_SPELLING = {name.lower(): name for name in (*_MESSAGE, *_ON_DEMAND)}
#: What a filter or an order may name: always cheap to read.
_COMPARABLE: Mapping[str, Callable[[Shown], object]] = {
    "internetmessageid": lambda shown: shown.item.message.internet_message_id,
    "conversationid": lambda shown: shown.mailbox.conversation_id(shown.item),
    "receiveddatetime": lambda shown: shown.item.delivered_at.replace(microsecond=0),
    "createddatetime": lambda shown: shown.item.delivered_at.replace(microsecond=0),
    "lastmodifieddatetime": lambda shown: shown.item.modified_at.replace(microsecond=0),
    "sentdatetime": lambda shown: shown.item.message.sent_at or shown.item.delivered_at,
    "isread": lambda shown: shown.item.is_read,
    "isdraft": lambda _: False,
    "hasattachments": lambda shown: shown.item.message.has_attachments,
    "isreadreceiptrequested": lambda shown: shown.item.wants_read_receipt,
    "subject": lambda shown: shown.item.message.subject,
    "importance": lambda shown: shown.item.importance,
    "parentfolderid": lambda shown: shown.mailbox.id_of_folder(shown.item.folder),
    "from/emailaddress/address": lambda shown: _address(shown, "From"),
    "from/emailaddress/name": lambda shown: _name(shown, "From"),
    "sender/emailaddress/address": lambda shown: (
        _address(shown, "Sender") or _address(shown, "From")
    ),
    "categories": lambda shown: list(shown.item.categories),
}


COMPARABLE_PATHS = frozenset(_COMPARABLE)


def comparable(shown: Shown, path: str) -> object:
    """Return what a filter's path stands for. KeyError if a filter may not name it."""
    return _COMPARABLE[path](shown)


def message(shown: Shown, select: tuple[str, ...] | None) -> dict[str, object]:
    """Write a message.

    Raises:
        GraphError: `select` names a property that messages do not have.
    """
    rendered: dict[str, object] = {"@odata.etag": f'W/"{shown.change_key}"'}
    if select is None:
        return rendered | {name: write(shown) for name, write in _MESSAGE.items()}
    for wanted in ("id", *select):
        name = _SPELLING.get(wanted)
        if name is None:
            raise no_such_property(wanted)
        rendered[name] = (_MESSAGE.get(name) or _ON_DEMAND[name])(shown)
    return rendered


def folder(mailbox: Mailbox, shown: Folder, *, beta: bool) -> dict[str, object]:
    """Write a folder. Only beta tells the well-known name."""
    items = mailbox.items_in(shown)
    rendered: dict[str, object] = {
        "id": mailbox.id_of_folder(shown.number),
        "displayName": shown.display_name,
        "parentFolderId": mailbox.id_of_folder(shown.parent or shown.number),
        "childFolderCount": len(mailbox.children(shown)),
        "unreadItemCount": sum(not item.is_read for item in items),
        "totalItemCount": len(items),
        "sizeInBytes": sum(len(item.message.mime) for item in items),
        "isHidden": shown.is_hidden,
    }
    return rendered | {"wellKnownName": shown.well_known} if beta else rendered


def _address(shown: Shown, header: str) -> str | None:
    people = shown.item.message.people(header)
    return people[0].address if people else None


def _name(shown: Shown, header: str) -> str | None:
    people = shown.item.message.people(header)
    return people[0].name if people else None
