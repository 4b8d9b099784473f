"""Journal reports as Exchange Online writes them."""

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from libs.graph_simulator.journal_report import (
    JournalRecipient,
    Organisation,
    journal_report,
    report_of,
    stamp_original,
)
from libs.graph_simulator.options import Options
from libs.graph_simulator.seed import JournalSeed, MailboxSeed, Seed, TenantSeed, plant
from libs.graph_simulator.server import serve
from libs.graph_simulator.world.delivery import PostOffice
from libs.graph_simulator.world.directory import World
from tests.fakes.clock import FakeClock
from tests.graph_simulator.samples import ALICE, BOB, CAROL, EVE, TENANT, mail, seed

CONTOSO = Organisation("11111111-2222-3333-4444-555555555555", "contoso.onmicrosoft.com")
REPORT_ID = "01234567-89ab-cdef-0123-456789abcdef"


def original_of(name: str, folder: Path) -> tuple[bytes, bytes]:
    report = (folder / "samples/journal/reconstructed" / name).read_bytes()
    boundary = report.split(b'boundary="', 1)[1].split(b'"', 1)[0]
    original = report.split(b"message/rfc822\r\n\r\n", 1)[1].split(b"\r\n--" + boundary, 1)[0]
    return report, original


@pytest.mark.reference
@pytest.mark.parametrize(
    ("name", "sender", "on_behalf_of", "recipients"),
    [
        (
            "r01_exo_basic_recipient.eml",
            "alice@fabrikam.example",
            None,
            [JournalRecipient("bob@contoso.example")],
        ),
        (
            "r02_exo_extended_to_cc_bcc_dl_fwd.eml",
            "carol@contoso.example",
            "boss@contoso.example",
            [
                JournalRecipient("bob@contoso.example", "To"),
                JournalRecipient("m1@contoso.example", "To", expanded_from="sales@contoso.example"),
                JournalRecipient("m2@contoso.example", "To", expanded_from="sales@contoso.example"),
                JournalRecipient("new@contoso.example", "Cc", forwarded_from="old@contoso.example"),
                JournalRecipient("secret@fabrikam.example", "Bcc"),
                JournalRecipient("ext@fabrikam.example"),
            ],
        ),
        (
            "r04_subject_utf8_base64.eml",
            "alice@fabrikam.example",
            None,
            [JournalRecipient("bob@contoso.example")],
        ),
    ],
)
def test_a_report_has_the_shape_of_exchange_online_s(
    reference_folder: Path,
    name: str,
    sender: str,
    on_behalf_of: str | None,
    recipients: list[JournalRecipient],
):
    expected, original = original_of(name, reference_folder)

    report = journal_report(
        original,
        organisation=CONTOSO,
        sender=sender,
        on_behalf_of=on_behalf_of,
        recipients=recipients,
        generated_at=datetime(2025, 1, 6, 10, 0, 2, tzinfo=UTC),
        report_id=REPORT_ID,
    )

    ours, theirs = email.message_from_bytes(report), email.message_from_bytes(expected)
    differ = {"Content-Type", "X-MS-Exchange-CrossTenant-Network-Message-Id"}
    differ.add("X-MS-Exchange-Transport-Forked")
    assert [one for one in ours.items() if one[0] not in differ] == [
        (key, _day(value)) for key, value in theirs.items() if key not in differ
    ]
    assert original in report
    if name.startswith(("r01", "r02")):
        assert _envelope(ours) == _envelope(theirs)
    else:
        assert ours.get_payload()[0]["Content-Transfer-Encoding"] == "base64"
        assert "Subject: Rechnung für Zürich" in _envelope(ours)


def _day(value: str) -> str:
    return value.replace("Mon, 6 Jan", "Mon, 06 Jan")


def _envelope(report: email.message.Message) -> str:
    part = report.get_payload(0)
    return part.get_payload(decode=True).decode("utf-8")


def test_a_null_sender_is_written_as_such():
    report = journal_report(
        mail(),
        organisation=CONTOSO,
        sender="",
        recipients=[JournalRecipient(BOB)],
        generated_at=datetime(2026, 1, 5, tzinfo=UTC),
        report_id=REPORT_ID,
    )

    assert "Sender: <>\r\n" in _envelope(email.message_from_bytes(report))


def test_a_stamped_original_keeps_its_body_and_says_where_it_came_from():
    stamped = stamp_original(
        mail().replace(b"\r\n", b"\n"),
        organisation=CONTOSO,
        is_internal=False,
        received_at=datetime(2026, 1, 5, tzinfo=UTC),
        network_message_id=REPORT_ID,
        extra_headers=[("Authentication-Results", "spf=fail")],
    )

    message = email.message_from_bytes(stamped)
    assert message.keys()[:2] == ["Received", "Authentication-Results"]
    assert message["X-MS-Exchange-Organization-Id"] == CONTOSO.tenant_id
    assert message["X-MS-Exchange-Organization-AuthAs"] == "Anonymous"
    assert stamped.endswith(b"\r\n\r\nPlease pay.\r\n")


@pytest.fixture
def world(clock: FakeClock) -> World:
    world = World(clock, Options())
    plant(world, seed())
    return world


def test_incoming_mail_lists_the_tenant_s_recipients_as_untrusted(world: World):
    delivery = PostOffice(world).deliver(mail(), EVE, [ALICE, "x@outside.example", BOB])

    report = report_of(delivery, world.tenants[TENANT], world)

    assert report is not None
    lines = _envelope(email.message_from_bytes(report)).splitlines()
    assert lines[0] == f"Sender: {EVE}"
    assert lines[-2:] == [f"Recipient: {ALICE}", f"Recipient: {BOB}"]
    assert email.message_from_bytes(report)["X-OriginatorOrg"] == "contoso.onmicrosoft.com"


def test_internal_mail_lists_all_with_their_roles(world: World):
    extra = "Cc: x@outside.example\n"
    mime = mail(sender=ALICE, to=(BOB,), extra=extra)
    delivery = PostOffice(world).deliver(mime, ALICE, [BOB, "x@outside.example", CAROL])

    report = report_of(delivery, world.tenants[TENANT], world)

    assert report is not None
    lines = _envelope(email.message_from_bytes(report)).splitlines()
    assert lines[-3:] == [f"To: {BOB}", "Cc: x@outside.example", f"Bcc: {CAROL}"]


def test_a_tenant_without_part_in_it_makes_no_report(world: World):
    delivery = PostOffice(world).deliver(mail(), EVE, ["dora@fabrikam.example"])

    assert report_of(delivery, world.tenants[TENANT], world) is None


class Receiver:
    """Answers as told, keeps what it took."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.taken: asyncio.Queue[Envelope] = asyncio.Queue()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answers:
            return self.answers.pop(0)
        self.taken.put_nowait(envelope)
        return "250 OK"


@asynccontextmanager
async def listening(receiver: Receiver) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(receiver, loop=loop), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def test_reports_are_sent_until_they_are_taken(clock: FakeClock, identity):
    receiver = Receiver("451 4.3.0 later", "554 5.0.0 never")
    async with listening(receiver) as port:
        journal = JournalSeed(host="127.0.0.1", port=port, address="token@journal.example")
        tenant = TenantSeed(
            id=TENANT,
            domains=("contoso.example",),
            mailboxes=(MailboxSeed(address=BOB),),
            journal=journal,
        )
        async with serve(Seed(tenants=(tenant,)), clock=clock, identity=identity) as simulator:
            simulator.admin.deliver(mail(message_id="<lost@x>"), EVE, [BOB])
            simulator.admin.deliver(mail(message_id="<kept@x>"), EVE, [BOB])
            while clock.sleepers == 0:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
            await clock.advance(2)
            envelope = await asyncio.wait_for(receiver.taken.get(), 10)
            while simulator.admin.statistics()["journal_reports"].get("sent", 0) == 0:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)

            counts = simulator.admin.statistics()["journal_reports"]

    assert envelope.mail_from == "journal-ndr@contoso.example"
    assert envelope.rcpt_tos == ["token@journal.example"]
    assert b"Message-Id: <kept@x>" in envelope.content
    assert counts == {"sent": 1, "retried": 1, "lost": 1}
