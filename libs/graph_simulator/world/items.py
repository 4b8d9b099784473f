"""One copy of a message in one mailbox."""

from dataclasses import dataclass, field
from datetime import datetime

from libs.graph_simulator.world.messages import Message

READ_RECEIPT = "Boolean 0x0029"
NON_RECEIPT = "Boolean 0x0C06"


@dataclass(frozen=True, slots=True)
class FolderChange:
    """A copy went from one folder to another. `by` is `application`, `user` or `simulator`."""

    at: datetime
    folder_before: str
    folder_after: str
    by: str


@dataclass(slots=True, eq=False)
class Item:
    """A copy and what is true of it alone.

    `number` is what its immutable id is made of, `current` what its ordinary one is.
    """

    message: Message
    number: int
    current: int
    folder: int
    conversation_index: bytes
    conversation: bytes
    delivered_at: datetime
    modified_at: datetime
    is_sent: bool = False
    is_read: bool = False
    importance: str = "normal"
    flag: str = "notFlagged"
    categories: tuple[str, ...] = ()
    #: Read receipt asked for (0x0029), and a notice if it is deleted unread (0x0C06).
    wants_read_receipt: bool = False
    wants_non_receipt: bool = False
    wants_delivery_receipt: bool = False
    last_active_folder: int | None = None
    moved_at: datetime | None = None
    changes: int = 0
    extended: dict[str, str] = field(default_factory=dict)
    history: list[FolderChange] = field(default_factory=list)
    is_receipt_sent: bool = False
