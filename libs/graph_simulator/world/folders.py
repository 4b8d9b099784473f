"""Folders and their well-known names (Graph v1.0, mailFolder); some are used though unlisted."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WellKnown:
    """A folder that every mailbox has. `listed` names are in Graph's documentation."""

    name: str
    display_name: str
    parent: str | None
    listed: bool = True
    is_hidden: bool = False


DELETIONS = "recoverableitemsdeletions"
PURGES = "recoverableitemspurges"
ROOT = "msgfolderroot"
_DUMPSTER = "recoverableitemsroot"

_ALL = (
    WellKnown(ROOT, "Top of Information Store", None),
    WellKnown("inbox", "Inbox", ROOT),
    WellKnown("drafts", "Drafts", ROOT),
    WellKnown("sentitems", "Sent Items", ROOT),
    WellKnown("deleteditems", "Deleted Items", ROOT),
    WellKnown("junkemail", "Junk Email", ROOT),
    WellKnown("outbox", "Outbox", ROOT),
    WellKnown("archive", "Archive", ROOT),
    WellKnown("conversationhistory", "Conversation History", ROOT),
    WellKnown("clutter", "Clutter", ROOT, is_hidden=True),
    WellKnown("scheduled", "Scheduled", ROOT, is_hidden=True),
    WellKnown("syncissues", "Sync Issues", ROOT, is_hidden=True),
    WellKnown("conflicts", "Conflicts", "syncissues", is_hidden=True),
    WellKnown("localfailures", "Local Failures", "syncissues", is_hidden=True),
    WellKnown("serverfailures", "Server Failures", "syncissues", is_hidden=True),
    WellKnown("searchfolders", "Search Folders", None),
    WellKnown(_DUMPSTER, "Recoverable Items", None, listed=False),
    WellKnown(DELETIONS, "Deletions", _DUMPSTER),
    WellKnown(PURGES, "Purges", _DUMPSTER, listed=False),
    WellKnown("recoverableitemsversions", "Versions", _DUMPSTER, listed=False),
    WellKnown("recoverableitemsdiscoveryholds", "DiscoveryHolds", _DUMPSTER, listed=False),
)

WELL_KNOWN = {folder.name: folder for folder in _ALL}
#: Their numbers never change, so neither do their ids.
NUMBERS = {folder.name: number for number, folder in enumerate(_ALL, start=0x101)}
NAMES = {number: name for name, number in NUMBERS.items()}
#: Names of EWS for the archive mailbox, which Graph's mail cannot reach.
ARCHIVE_MAILBOX_NAMES = frozenset(
    f"archive{name}"
    for name in (
        ROOT,
        "inbox",
        "deleteditems",
        _DUMPSTER,
        DELETIONS,
        PURGES,
        "recoverableitemsversions",
    )
)
FIRST_OWN_NUMBER = 0x1001


@dataclass(slots=True)
class Folder:
    """One folder of one mailbox."""

    number: int
    display_name: str
    parent: int | None
    well_known: str | None = None
    is_hidden: bool = False

    @property
    def is_recoverable(self) -> bool:
        """Whether it belongs to Recoverable Items, which `/messages` never shows."""
        return self.well_known is not None and self.well_known.startswith("recoverableitems")
