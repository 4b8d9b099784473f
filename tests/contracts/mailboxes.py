"""What mailboxes must do for the retractor. A test of an adapter gives the fixture `office`."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import pytest

from libs.common.errors import PermanentError
from services.retractor.domain.mail import Mailbox
from services.retractor.ports.mailboxes import Folder, Mailboxes, Moved

TENANT = "acme"
ANN, BOB = "ann@acme.example", "bob@acme.example"
#: Another address of Ann's.
ALIAS = "a.nn@acme.example"
MESSAGE_ID = "<it's+a%2Fb&c#d=?@evil.example>"


@dataclass(frozen=True)
class Letter:
    """A message to be put into mailboxes."""

    internet_message_id: str = MESSAGE_ID
    sender: str = "mallory@evil.example"
    to: tuple[str, ...] = (ANN,)
    subject: str = "Your invoice"
    sent_at: datetime = datetime(2026, 1, 5, 8, 30, tzinfo=UTC)
    wants_receipt: bool = False


class Office(Protocol):
    """Mailboxes under test, and what only their owner can do."""

    mailboxes: Mailboxes

    async def deliver(self, letter: Letter) -> None:
        """Put a message into the inboxes of its recipients."""

    async def reply(self, author: str, internet_message_id: str) -> str:
        """Answer all as a user; return the reply's Message-ID."""

    async def discard(self, address: str, internet_message_id: str) -> None:
        """Remove a user's copies for ever."""


class MailboxesContract:
    """Every implementation of `Mailboxes` passes this."""

    @pytest.fixture
    async def ann(self, office: Office) -> Mailbox:
        found = await office.mailboxes.resolve(TENANT, ANN)
        assert found is not None
        return found

    async def the_copy(self, office, mailbox, message_id=MESSAGE_ID):
        [found] = await office.mailboxes.with_message_id(mailbox, message_id)
        return found

    async def test_an_address_leads_to_its_mailbox_whatever_its_case(self, office, ann):
        again = await office.mailboxes.resolve(TENANT, ANN.upper())

        assert again.user_id == ann.user_id

    async def test_an_alias_leads_to_the_same_user(self, office, ann):
        again = await office.mailboxes.resolve(TENANT, ALIAS)

        assert (again.user_id, again.address) == (ann.user_id, ALIAS)

    async def test_a_mailbox_knows_all_its_addresses_by_whichever_it_was_found(self, office):
        for address in (ANN.upper(), ALIAS):
            found = await office.mailboxes.resolve(TENANT, address)

            assert set(await office.mailboxes.addresses(found)) == {ANN, ALIAS}

    async def test_an_address_without_mailbox_leads_nowhere(self, office):
        assert await office.mailboxes.resolve(TENANT, "nobody@acme.example") is None

    async def test_a_mailbox_that_does_not_exist_is_an_error(self, office):
        stranger = Mailbox(TENANT, "x@acme.example", "00000000-0000-4000-8000-000000000000")

        with pytest.raises(PermanentError, match="mailbox_not_found"):
            await office.mailboxes.with_message_id(stranger, MESSAGE_ID)

    async def test_well_known_folders_have_ids_that_stay(self, office, ann):
        first = await office.mailboxes.folders(ann, [Folder.INBOX, Folder.JUNK])
        again = await office.mailboxes.folders(ann, [Folder.JUNK, Folder.INBOX])

        assert first == again
        assert len(set(first.values())) == 2

    async def test_a_copy_is_found_with_what_identifies_it(self, office, ann):
        letter = Letter(wants_receipt=True)
        await office.deliver(letter)

        found = await self.the_copy(office, ann)

        inbox = (await office.mailboxes.folders(ann, [Folder.INBOX]))[Folder.INBOX]
        assert found.folder_id == inbox
        assert found.fingerprint.from_address == letter.sender
        assert found.fingerprint.sent_at == letter.sent_at
        assert found.fingerprint.subject == letter.subject
        assert (found.is_read, found.receipt_requested) == (False, True)
        assert set(found.participants) == {letter.sender, ANN}

    async def test_all_copies_of_a_message_id_are_found(self, office, ann):
        await office.deliver(Letter())
        await office.deliver(Letter(subject="Another"))

        found = await office.mailboxes.with_message_id(ann, MESSAGE_ID)

        assert {one.fingerprint.subject for one in found} == {"Your invoice", "Another"}

    async def test_other_mailboxes_and_messages_are_not(self, office, ann):
        await office.deliver(Letter(to=(BOB,)))
        await office.deliver(Letter(internet_message_id="<other@evil.example>"))

        assert await office.mailboxes.with_message_id(ann, MESSAGE_ID) == []

    @pytest.mark.parametrize("folder", [Folder.JUNK, Folder.TRASH, Folder.DELETIONS])
    async def test_a_moved_item_keeps_its_id(self, folder, office, ann):
        await office.deliver(Letter())
        found = await self.the_copy(office, ann)

        move = await office.mailboxes.move(ann, found.graph_message_id, folder.value)
        after = await office.mailboxes.look_up(ann, found.graph_message_id)

        ids = await office.mailboxes.folders(ann, [folder])
        assert (move.result, move.folder_id) == (Moved.DONE, ids[folder])
        assert after.folder_id == ids[folder]

    async def test_it_can_be_moved_there_again_and_back_by_folder_id(self, office, ann):
        await office.deliver(Letter())
        found = await self.the_copy(office, ann)
        for folder in (Folder.DELETIONS.value, Folder.DELETIONS.value, found.folder_id):
            move = await office.mailboxes.move(ann, found.graph_message_id, folder)
            assert move.result is Moved.DONE

        assert (await self.the_copy(office, ann)).folder_id == found.folder_id

    async def test_recoverable_items_are_found_only_when_asked_for(self, office, ann):
        await office.deliver(Letter())
        found = await self.the_copy(office, ann)
        await office.mailboxes.move(ann, found.graph_message_id, Folder.DELETIONS.value)

        visible = await office.mailboxes.with_message_id(ann, MESSAGE_ID)
        hidden = await office.mailboxes.with_message_id(ann, MESSAGE_ID, within=Folder.DELETIONS)

        assert visible == []
        assert [one.graph_message_id for one in hidden] == [found.graph_message_id]

    @pytest.mark.parametrize("before", [None, Folder.DELETIONS])
    async def test_a_purged_item_is_found_nowhere(self, before, office, ann):
        await office.deliver(Letter())
        found = await self.the_copy(office, ann)
        if before is not None:
            await office.mailboxes.move(ann, found.graph_message_id, before.value)

        move = await office.mailboxes.purge(ann, found.graph_message_id)

        assert move.result is Moved.DONE
        assert await office.mailboxes.with_message_id(ann, MESSAGE_ID) == []
        hidden = await office.mailboxes.with_message_id(ann, MESSAGE_ID, within=Folder.DELETIONS)
        assert hidden == []

    async def test_an_item_that_is_gone_is_an_answer(self, office, ann):
        await office.deliver(Letter())
        found = await self.the_copy(office, ann)
        await office.discard(ANN, MESSAGE_ID)

        gone = found.graph_message_id
        assert await office.mailboxes.look_up(ann, gone) is None
        assert (await office.mailboxes.move(ann, gone, "junkemail")).result is Moved.GONE
        assert (await office.mailboxes.purge(ann, gone)).result is Moved.GONE
        assert await office.mailboxes.mark(ann, gone, is_read=True) is False

    async def test_so_is_a_folder_that_is_gone(self, office, ann):
        await office.deliver(Letter())
        found = await self.the_copy(office, ann)
        missing = found.folder_id[:-8] + "AAAAAAA="

        move = await office.mailboxes.move(ann, found.graph_message_id, missing)

        assert move.result is Moved.NO_FOLDER

    async def test_read_state_and_receipts_can_be_changed(self, office, ann):
        await office.deliver(Letter(wants_receipt=True))
        found = await self.the_copy(office, ann)

        assert await office.mailboxes.mark(ann, found.graph_message_id, no_receipt=True)
        assert await office.mailboxes.mark(ann, found.graph_message_id, is_read=True)

        after = await self.the_copy(office, ann)
        assert (after.is_read, after.receipt_requested) == (True, False)

    async def test_a_conversation_holds_the_message_and_its_replies(self, office, ann):
        await office.deliver(Letter(to=(ANN, BOB)))
        found = await self.the_copy(office, ann)
        reply_id = await office.reply(ANN, MESSAGE_ID)
        await office.deliver(Letter(internet_message_id="<other@evil.example>", subject="Else"))

        family = await office.mailboxes.in_conversation(ann, found.conversation_id)

        by_id = {one.internet_message_id: one for one in family}
        assert set(by_id) == {MESSAGE_ID, reply_id}
        assert by_id[reply_id].in_reply_to == MESSAGE_ID
