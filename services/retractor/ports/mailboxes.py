"""The tenants' mailboxes.

Whatever goes wrong is raised:
    TransientError: `throttled` (this mailbox; with `retry_after_seconds`), `throttled_everywhere`
        (the whole application), `graph_unavailable`, `graph_timeout`, `mailbox_moving`,
        `sign_in_failed`, `credential_unavailable`, `token_refused`. After a write it is unknown
        whether the write happened, but for the two throttles: it did not.
    PermanentError: `out_of_scope`, `mailbox_not_rest_enabled`, `mailbox_not_found`,
        `mailbox_ambiguous` (an address leads to several), `consent_revoked`, `permission_missing`,
        `mailbox_full`, `foreign_link`, `graph_error`
        (Graph refuses the request itself).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from services.retractor.domain.mail import FoundCopy, Mailbox


class Folder(StrEnum):
    """Folders that every mailbox has, by their well-known names (Graph v1.0, mailFolder)."""

    INBOX = "inbox"
    SENT_ITEMS = "sentitems"
    JUNK = "junkemail"
    TRASH = "deleteditems"
    ARCHIVE = "archive"
    DRAFTS = "drafts"
    DELETIONS = "recoverableitemsdeletions"
    PURGES = "recoverableitemspurges"


class Moved(StrEnum):
    """How an attempt to move an item ended."""

    DONE = "done"
    #: No such item any more: moved away under a new id, or gone.
    GONE = "gone"
    #: It lies where nothing can delete it again: in Recoverable Items.
    BEYOND = "beyond"
    #: The folder to go to does not exist (any more).
    NO_FOLDER = "no_folder"


@dataclass(frozen=True, slots=True)
class Move:
    """The answer to a move: for `DONE` the folder where the item is now, where Graph says it."""

    result: Moved
    folder_id: str | None = None


class Directory(Protocol):
    """Who is behind an address."""

    async def resolve(self, tenant: str, address: str) -> Mailbox | None:
        """Return the mailbox that an address (or alias) leads to; None where it leads to none."""

    async def addresses(self, mailbox: Mailbox) -> Sequence[str]:
        """Return all addresses that lead to a mailbox, lower case: its own and its aliases."""

    async def folders(self, mailbox: Mailbox, names: Sequence[Folder]) -> Mapping[Folder, str]:
        """Return the ids of well-known folders; one that the mailbox lacks is left out."""


class Reading(Protocol):
    """Finds items. Ids of items are immutable: they survive moves within the mailbox."""

    async def with_message_id(
        self, mailbox: Mailbox, internet_message_id: str, *, within: Folder | None = None
    ) -> Sequence[FoundCopy]:
        """Return every item with this Message-ID: in all visible folders, or `within` one.

        Recoverable Items are not visible folders.
        """

    async def in_conversation(self, mailbox: Mailbox, conversation_id: str) -> Sequence[FoundCopy]:
        """Return every item of a conversation, by this mailbox's own conversation id."""

    async def look_up(self, mailbox: Mailbox, graph_message_id: str) -> FoundCopy | None:
        """Return one item, in whatever folder; None where there is none."""


class Writing(Protocol):
    """Moves items. Each call is one write: not repeated here after an unclear answer."""

    async def move(self, mailbox: Mailbox, graph_message_id: str, folder: str) -> Move:
        """Move an item to a folder, by id or well-known name. Moving it again is no change."""

    async def purge(self, mailbox: Mailbox, graph_message_id: str) -> Move:
        """Delete an item for good, as far as its user is concerned (Recoverable Items, Purges)."""

    async def mark(
        self,
        mailbox: Mailbox,
        graph_message_id: str,
        *,
        is_read: bool | None = None,
        no_receipt: bool = False,
    ) -> bool:
        """Set the read state, or take back the request for a read receipt; False where gone."""


class Mailboxes(Directory, Reading, Writing, Protocol):
    """All of it: what stands behind it is one connection per tenant."""
