"""Microsoft Graph, as simulated, and the fake keep the same contract."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from email.utils import format_datetime
from itertools import count

import pytest

from libs.common.clock import SystemClock
from libs.graph_simulator.seed import ApplicationSeed, MailboxSeed, Seed, TenantSeed
from libs.graph_simulator.server import Simulator, serve
from services.retractor.adapters.graph.connections import Endpoints
from services.retractor.adapters.graph.mailboxes import GraphMailboxes
from services.retractor.app import ConfiguredRules
from services.retractor.domain.mail import Fingerprint, FoundCopy
from services.retractor.ports.mailboxes import Moved
from tests.contracts.mailboxes import ALIAS, ANN, BOB, TENANT, Letter, MailboxesContract
from tests.fakes.mailboxes import FakeMailboxes
from tests.retractor.rig import in_force

MICROSOFT_ID = "11111111-2222-4333-8444-555555555555"


@dataclass
class SimulatedOffice:
    simulator: Simulator
    mailboxes: GraphMailboxes

    async def deliver(self, letter: Letter) -> None:
        message = EmailMessage()
        message["From"] = letter.sender
        message["To"] = ", ".join(letter.to)
        message["Subject"] = letter.subject
        message["Message-ID"] = letter.internet_message_id
        message["Date"] = format_datetime(letter.sent_at)
        if letter.wants_receipt:
            message["Disposition-Notification-To"] = letter.sender
        message.set_content("Pay now.")
        self.simulator.admin.deliver(bytes(message), letter.sender, letter.to)

    async def reply(self, author: str, internet_message_id: str) -> str:
        report = self.simulator.admin.reply(author, internet_message_id, reply_all=True)
        return report.internet_message_id

    async def discard(self, address: str, internet_message_id: str) -> None:
        self.simulator.admin.act(address, "vanish", internet_message_id=internet_message_id)


@dataclass
class FakeOffice:
    mailboxes: FakeMailboxes
    ids: "count[int]" = field(default_factory=count)

    async def deliver(self, letter: Letter) -> None:
        for address in letter.to:
            self._put(address, letter, f"conversation of {letter.subject}", None)

    async def reply(self, author: str, internet_message_id: str) -> str:
        box = self.mailboxes.mailboxes[TENANT, ANN]
        parent = next(
            item for item in box.items.values() if item.internet_message_id == internet_message_id
        )
        letter = Letter(internet_message_id="<reply@acme.example>", sender=author)
        self._put(ANN, letter, parent.conversation_id, internet_message_id)
        return letter.internet_message_id

    async def discard(self, address: str, internet_message_id: str) -> None:
        items = self.mailboxes.mailboxes[TENANT, address].items
        for key in [
            k for k, one in items.items() if one.internet_message_id == internet_message_id
        ]:
            del items[key]

    def _put(
        self, address: str, letter: Letter, conversation_id: str | None, parent: str | None
    ) -> None:
        box = self.mailboxes.mailboxes[TENANT, address]
        graph_message_id = f"item-{next(self.ids)}"
        found = FoundCopy(
            graph_message_id=graph_message_id,
            internet_message_id=letter.internet_message_id,
            folder_id=box.folders["inbox"],
            fingerprint=Fingerprint(letter.sender, letter.sent_at, letter.subject),
            received_at=letter.sent_at,
            is_read=False,
            receipt_requested=letter.wants_receipt,
            conversation_id=conversation_id,
            participants=tuple(sorted({letter.sender, *letter.to})),
        )
        box.items[graph_message_id] = replace(found, in_reply_to=parent)


def seed(cloud: str) -> Seed:
    tenant = TenantSeed(
        id=MICROSOFT_ID,
        cloud=cloud,
        domains=("acme.example",),
        apps=(ApplicationSeed(client_id="client", client_secret="s3cret"),),
        mailboxes=(MailboxSeed(address=ANN, aliases=(ALIAS,)), MailboxSeed(address=BOB)),
    )
    return Seed(tenants=(tenant,))


@asynccontextmanager
async def simulated(cloud: str, patch: pytest.MonkeyPatch) -> AsyncIterator[SimulatedOffice]:
    patch.setenv("RIG_SECRET", "s3cret")
    rules = ConfiguredRules(in_force(cloud=cloud))
    async with serve(seed(cloud)) as simulator:
        endpoints = Endpoints(
            graph_url=simulator.graph_url,
            authority_url=simulator.authority_url,
            ca_file=simulator.ca_file,
        )
        mailboxes = GraphMailboxes(rules.tenant, endpoints, SystemClock())
        yield SimulatedOffice(simulator, mailboxes)
        await mailboxes.close()


class TestGraphMailboxes(MailboxesContract):
    @pytest.fixture
    async def office(self, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SimulatedOffice]:
        async with simulated("global", monkeypatch) as office:
            yield office


async def test_a_cloud_without_permanent_delete_purges_by_a_move(monkeypatch):
    async with simulated("gcc_high", monkeypatch) as office:
        await office.deliver(Letter())
        ann = await office.mailboxes.resolve(TENANT, ANN)
        [found] = await office.mailboxes.with_message_id(ann, Letter().internet_message_id)

        move = await office.mailboxes.purge(ann, found.graph_message_id)

        [copy] = office.simulator.admin.copies()
        assert (move.result, copy.folder) == (Moved.DONE, "recoverableitemspurges")


class TestFakeMailboxes(MailboxesContract):
    @pytest.fixture
    def office(self) -> FakeOffice:
        mailboxes = FakeMailboxes()
        for address in (ANN, BOB):
            mailboxes.add(TENANT, address)
        mailboxes.alias(TENANT, ALIAS, ANN)
        return FakeOffice(mailboxes)
