"""One mailbox during a visit: who is behind it, and the ids of its folders, learned once."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from libs.common.contracts.retraction import Destination
from libs.common.errors import PermanentError
from services.retractor.domain.desired import is_milder
from services.retractor.domain.mail import Mailbox
from services.retractor.ports.ledger import Visit
from services.retractor.ports.mailboxes import Folder
from services.retractor.workers.bench import Bench

MAILBOX_NOT_FOUND = "mailbox_not_found"
#: Where each destination is, in every mailbox.
FOLDER_OF = {
    Destination.JUNK: Folder.JUNK,
    Destination.TRASH: Folder.TRASH,
    Destination.SOFT_DELETE: Folder.DELETIONS,
    Destination.HARD_DELETE: Folder.PURGES,
}

#: In this order a folder's name is looked for: where mail mostly is comes first.
_NAMES = (
    Folder.INBOX,
    Folder.SENT_ITEMS,
    Folder.JUNK,
    Folder.TRASH,
    Folder.DELETIONS,
    Folder.ARCHIVE,
    Folder.DRAFTS,
)


def folders_to_compare(destination: Destination) -> list[Folder]:
    """Return the folders that make a difference to a copy: its destination and harsher places.

    What lies in Purges is never found, so that its id is of no use.
    """
    return [
        folder
        for other, folder in FOLDER_OF.items()
        if folder is not Folder.PURGES and not is_milder(other, destination)
    ]


class Place:
    """A mailbox that is being visited."""

    def __init__(self, bench: Bench, visit: Visit) -> None:
        self._bench = bench
        self._visit = visit
        self._mailbox: Mailbox | None = None
        self._folders: dict[str, str] = {}
        self._addresses: Sequence[str] | None = None

    async def mailbox(self) -> Mailbox:
        """Return the mailbox, from the cache where it is known.

        Raises:
            PermanentError: `mailbox_not_found`: a list, a contact, or nobody.
            TransientError, PermanentError: see `ports.mailboxes`.
        """
        if self._mailbox is None:
            self._mailbox = await self._resolved()
        return self._mailbox

    async def addresses(self) -> Sequence[str]:
        """Return all addresses that lead here; asked once per visit, since aliases come and go."""
        if self._addresses is None:
            self._addresses = await self._bench.mailboxes.addresses(await self.mailbox())
        return self._addresses

    async def folders(self, names: Sequence[Folder]) -> Mapping[Folder, str]:
        """Return the ids of well-known folders, from the cache where they are known."""
        mailbox = await self.mailbox()
        unknown = [name for name in names if name.value not in self._folders]
        if unknown:
            found = await self._bench.mailboxes.folders(mailbox, unknown)
            await self._remember(mailbox, {name.value: found[name] for name in found})
        return {name: self._folders[name.value] for name in names if name.value in self._folders}

    async def names_of(self, folder_ids: Sequence[str | None]) -> Mapping[str, str]:
        """Return the well-known names of those of these folders that have one."""
        wanted = {folder_id for folder_id in folder_ids if folder_id}
        for name in _NAMES:
            if wanted <= set(self._folders.values()):
                break
            if name.value not in self._folders:
                await self.folders([name])
        return {folder_id: name for name, folder_id in self._folders.items() if folder_id in wanted}

    async def _resolved(self) -> Mailbox:
        bench, visit = self._bench, self._visit
        now = bench.clock.now()
        not_before = now - timedelta(seconds=bench.pace.directory_seconds)
        known = await bench.cache.user_id(visit.tenant, visit.mailbox, not_before)
        if known is not None:
            self._folders = dict(await bench.cache.folders(visit.tenant, visit.mailbox))
            return Mailbox(visit.tenant, visit.mailbox, known)
        mailbox = await bench.mailboxes.resolve(visit.tenant, visit.mailbox)
        if mailbox is None:
            raise PermanentError(MAILBOX_NOT_FOUND)
        await self._remember(mailbox, {})
        self._folders = dict(await bench.cache.folders(visit.tenant, visit.mailbox))
        return mailbox

    async def _remember(self, mailbox: Mailbox, folders: Mapping[str, str]) -> None:
        self._folders.update(folders)
        await self._bench.cache.remember(
            mailbox.tenant, mailbox.address, mailbox.user_id, folders, self._bench.clock.now()
        )
