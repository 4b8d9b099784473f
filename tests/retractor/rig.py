"""The retractor's handlers and workers on a real ledger, before simulated or faked mailboxes."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from libs.common.broker.port import Message
from libs.common.broker.publishing import Cause, CausedPublish
from libs.common.clock import Clock
from libs.common.contracts import CONTRACTS, Contract
from libs.common.contracts.mail import (
    Direction,
    Envelope,
    KeyHeaders,
    MailJournaled,
    RawMail,
    Recipient,
    Source,
)
from libs.common.contracts.retraction import (
    CancelRetraction,
    CopySettled,
    RestoreRetraction,
    RetractionFinished,
    RetractMail,
)
from libs.common.runtime import run_together
from libs.common.tenants.current import CurrentConfiguration
from libs.common.tenants.model import Configuration
from libs.graph_simulator.server import Simulator
from services.retractor.app import handlers_of, workers_of
from services.retractor.domain.mail import Fingerprint, FoundCopy
from services.retractor.settings import Tuning
from services.retractor.workers.bench import Bench
from tests.fakes.mailboxes import FakeMailbox, FakeMailboxes

TENANT = "acme"
SENT_AT = datetime(2026, 1, 5, 8, 30, tzinfo=UTC)


@dataclass
class Published:
    """A publisher that remembers. See `Publisher`."""

    messages: list[Message] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def publish(self, messages: Sequence[Message]) -> None:
        self.messages.extend(messages)
        self.arrived.set()

    def contracts(self, type_: type[Contract]) -> list[Any]:
        found = [one for one in self.messages if one.type == type_.type]
        return [CONTRACTS[one.type].model_validate_json(one.body) for one in found]


@dataclass(frozen=True)
class Mail:
    """A message as its senders wrote it."""

    sender: str = "mallory@evil.example"
    to: tuple[str, ...] = ("ann@acme.example",)
    subject: str = "Your invoice"
    internet_message_id: str = "<m1@evil.example>"
    sent_at: datetime = SENT_AT
    text: str = "Pay now."
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def message_key(self) -> str:
        facts = f"{self.sender}|{self.to}|{self.subject}|{self.internet_message_id}|{self.text}"
        return sha256(f"{facts}|{self.sent_at}".encode()).hexdigest()

    def mime(self) -> bytes:
        message = EmailMessage()
        message["From"] = self.sender
        message["To"] = ", ".join(self.to)
        message["Subject"] = self.subject
        message["Message-ID"] = self.internet_message_id
        message["Date"] = format_datetime(self.sent_at)
        for name, value in self.headers:
            message[name] = value
        message.set_content(self.text)
        return bytes(message)

    def key_headers(self) -> KeyHeaders:
        return KeyHeaders(
            from_=self.sender, to=", ".join(self.to), subject=self.subject, date=self.sent_at
        )


def journaled(
    mail: Mail,
    to: Sequence[str] | None = None,
    direction: Direction = Direction.INBOUND,
    tenant: str = TENANT,
) -> MailJournaled:
    recipients = [Recipient(address=one, role="to") for one in (to or mail.to)]
    report_key = sha256(f"{mail.message_key}{recipients}".encode()).hexdigest()
    digest = sha256(mail.mime()).hexdigest()
    return MailJournaled(
        tenant=tenant,
        report_key=report_key,
        message_key=mail.message_key,
        internet_message_id=mail.internet_message_id,
        envelope=Envelope(sender=mail.sender, recipients=tuple(recipients)),
        source=Source(
            kind="journal", listener="default", peer="127.0.0.1", tls=True, proof="token"
        ),
        raw=RawMail(
            store_key="acme/x",
            sha256=digest,
            size_bytes=1,
            original_offset=0,
            original_size_bytes=1,
            original_sha256=digest,
        ),
        headers=mail.key_headers(),
        direction=direction,
        received_at=SENT_AT,
    )


def configuration(**tenant: Any) -> Configuration:
    fields = {
        "id": TENANT,
        "microsoft_tenant_id": "11111111-2222-4333-8444-555555555555",
        "domains": ("acme.example",),
        "journal": {"token": "a" * 26},
        "graph": {"client_id": "client", "client_secret": "env:RIG_SECRET"},
    }
    rights = ["mail.retract.v1", "retraction.*"]
    return Configuration.model_validate(
        {
            "service_domain": "undeliver.example",
            "tenants": [fields | tenant],
            "publishers": [
                {"name": "cli", "types": rights},
                {"name": "soar", "types": rights, "destinations": ["junk", "trash"]},
            ],
        }
    )


def in_force(**tenant: Any) -> CurrentConfiguration:
    """Return what the retractor goes by."""
    return CurrentConfiguration(configuration(**tenant))


class Rig:
    """Speaks to the handlers as the consumer does, and waits for what is announced."""

    def __init__(self, bench: Bench, published: Published, tuning: Tuning) -> None:
        self.bench = bench
        self.published = published
        self._handlers = handlers_of(bench, tuning)
        self._workers: asyncio.Task[None] | None = None

    @property
    def clock(self) -> Clock:
        return self.bench.clock

    async def handle(
        self, contract: Contract, publisher: str = "cli", message_id: str | None = None
    ) -> str:
        """Hand a message to its handler; returns its id, with which it can be redelivered."""
        message_id = message_id or str(uuid4())
        cause = Cause(message_id, message_id, publisher, self.clock.now())
        publish = CausedPublish(self.published, cause, clock=self.clock, app_id="test")
        await self._handlers[contract.type](contract, publish)
        return message_id

    async def journal(self, mail: Mail, to: Sequence[str] | None = None, **more: Any) -> None:
        await self.handle(journaled(mail, to, **more), "ingest")

    async def retract(
        self,
        mail: Mail,
        destination: str = "soft_delete",
        publisher: str = "cli",
        **more: Any,
    ) -> UUID:
        fields: dict[str, Any] = {
            "tenant": TENANT,
            "retraction_id": uuid4(),
            "internet_message_id": mail.internet_message_id,
            "destination": destination,
            "reason": "phish",
            "requested_by": "pat",
        }
        command = RetractMail.model_validate(fields | more)
        await self.handle(command, publisher)
        return command.retraction_id

    async def restore(self, retraction_id: UUID, publisher: str = "cli", **more: Any) -> UUID:
        fields = {
            "tenant": TENANT,
            "restore_id": uuid4(),
            "retraction_id": retraction_id,
            "reason": "harmless",
            "requested_by": "pat",
        }
        command = RestoreRetraction.model_validate(fields | more)
        await self.handle(command, publisher)
        return command.restore_id

    async def cancel(self, retraction_id: UUID) -> None:
        await self.handle(
            CancelRetraction(
                tenant=TENANT, retraction_id=retraction_id, reason="oops", requested_by="pat"
            )
        )

    async def finished(
        self, retraction_id: UUID, kind: str = "retract", round_: int = 1
    ) -> RetractionFinished:
        """Wait for the announcement that a retraction has ended."""
        async with asyncio.timeout(15):
            while True:
                for one in self.published.contracts(RetractionFinished):
                    if (one.retraction_id, one.kind, one.round) == (retraction_id, kind, round_):
                        return one
                self.published.arrived.clear()
                await self.published.arrived.wait()

    def settled(self, retraction_id: UUID) -> list[CopySettled]:
        found = self.published.contracts(CopySettled)
        return [one for one in found if one.retraction_id == retraction_id]

    def outcomes(self, retraction_id: UUID) -> dict[str, tuple[str, str | None]]:
        return {one.mailbox: (one.outcome, one.reason) for one in self.settled(retraction_id)}

    def start(self) -> None:
        """Let the workers run."""
        self._workers = asyncio.create_task(run_together(workers_of(self.bench)))

    async def stop(self) -> None:
        """End the workers as a shutdown does."""
        if self._workers is not None:
            self._workers.cancel()
            with suppress(asyncio.CancelledError):
                await self._workers
            self._workers = None

    async def kill(self, pool: asyncpg.Pool) -> None:
        """End the workers as `kill -9` does: they give nothing back, their leases run out."""

        async def nothing(*_: object) -> None:
            return None

        schedule = self.bench.schedule
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(schedule, "release", nothing)
            await self.stop()
        await pool.execute("update mailboxes set lease_until = now() where lease_until is not null")


def deliver(simulator: Simulator, mail: Mail, rcpt_to: Sequence[str] | None = None) -> None:
    """Let a message arrive in mailboxes; its journal report is another matter."""
    simulator.admin.deliver(mail.mime(), mail.sender, rcpt_to or mail.to)


def put(office: FakeMailboxes, mail: Mail, address: str) -> FakeMailbox:
    """Put a message into the inbox of a mailbox in memory, under its Message-ID as Graph id."""
    box = office.mailboxes[TENANT, address]
    office.put(
        TENANT,
        address,
        FoundCopy(
            graph_message_id=f"{box.user_id}/{mail.internet_message_id}",
            internet_message_id=mail.internet_message_id,
            folder_id=box.folders["inbox"],
            fingerprint=Fingerprint(mail.sender, mail.sent_at, mail.subject),
            received_at=mail.sent_at,
            is_read=False,
        ),
    )
    return box


def places(box: FakeMailbox) -> list[str]:
    """Return the names of the folders where a mailbox's items are."""
    return [item.folder_id.rpartition("/")[2] for item in box.items.values()]


def writes(simulator: Simulator) -> dict[str, int]:
    """Count what has changed anything in mailboxes."""
    calls = simulator.admin.statistics()["calls"]
    assert isinstance(calls, dict)
    names = ("move", "permanent_delete", "patch_message", "delete_message", "copy")
    return {name: calls[name] for name in names if calls.get(name)}
