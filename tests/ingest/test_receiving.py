"""One accepted message: stored, entered, announced; once, whatever happens in between."""

import json
from dataclasses import replace
from hashlib import sha256

import pytest

from libs.common.broker.publishing import CausedPublish
from libs.common.broker.topology import UNDELIVER, Topology
from libs.common.errors import TransientError
from services.ingest.domain.reception import Encryption, ReceivedMail
from services.ingest.domain.tenancy import Tenancy
from services.ingest.handlers import Desk, receive_mail
from tests.fakes.blobs import FakeBlobs
from tests.fakes.broker import Exchange, MemoryBroker
from tests.fakes.parser import FakeParser
from tests.fakes.report_keys import FakeReportKeys
from tests.ingest.reports import MESSAGE_ID, envelope, original, report

AUDIT = "undeliver.audit.events.v1"
CLASSIFIER = "undeliver.classifier.events.v1"
RETRACTOR = "undeliver.retractor.events.v1"

ENCRYPTED = Encryption("TLSv1.3", "TLS_AES_256_GCM_SHA384")


class Office:
    """A desk with its fakes, and what came out."""

    def __init__(self, clock):
        self.clock = clock
        self.exchange = Exchange(clock, UNDELIVER)
        self.broker = MemoryBroker(self.exchange, "ingest")
        self.blobs = FakeBlobs()
        self.report_keys = FakeReportKeys()
        self.tenancy = Tenancy(
            {"acme": frozenset({"contoso.example"}), "globex": frozenset({"globex.example"})}, "eu"
        )
        self.desk = Desk(
            parser=FakeParser(gives_up_on=b"cannot-be-parsed"),
            blobs=self.blobs,
            report_keys=self.report_keys,
            publish_for=lambda cause: CausedPublish(
                self.broker, cause, clock=clock, app_id="ingest"
            ),
            clock=clock,
            tenancy=lambda: self.tenancy,
        )

    async def receive(self, content, *tenants, **changes):
        mail = ReceivedMail(
            content=content,
            sha256=sha256(content).hexdigest(),
            mail_from="",
            tenants=tenants or ("acme",),
            listener="default",
            peer="192.0.2.1",
            encryption=None,
            received_at=self.clock.now(),
        )
        await receive_mail(replace(mail, **changes), self.desk)

    @property
    def messages(self):
        return [entry.message for entry in self.exchange.entries if entry.queue == AUDIT]

    @property
    def bodies(self):
        return [json.loads(message.body) for message in self.messages]

    async def slice_of(self, body):
        raw = body["raw"]
        return await self.blobs.get(
            raw["store_key"], offset=raw["original_offset"], size_bytes=raw["original_size_bytes"]
        )


@pytest.fixture
def office(clock):
    return Office(clock)


async def test_a_report_is_announced_to_everybody_who_waits_for_it(office):
    await office.receive(report())

    queues = {entry.queue for entry in office.exchange.entries}
    assert queues == {AUDIT, CLASSIFIER, RETRACTOR}
    (message,), (body,) = office.messages, office.bodies
    assert (message.type, message.tenant, message.app_id) == ("mail.journaled.v1", "acme", "ingest")
    assert message.causation_id is None
    assert body["internet_message_id"] == MESSAGE_ID
    assert body["envelope"]["recipients"][0]["address"] == "bob@contoso.example"
    assert body["source"] == {
        "kind": "journal",
        "format": "exchange_online",
        "listener": "default",
        "peer": "192.0.2.1",
        "tls": False,
        "tls_version": None,
        "tls_cipher": None,
        "proof": "token",
    }
    assert (body["direction"], body["region"]) == ("inbound", "eu")
    assert body["headers"]["from"] == "Alice <alice@fabrikam.example>"
    assert body["headers"]["date"] == "2025-01-06T10:00:00Z"


async def test_the_original_is_a_slice_of_what_is_kept(office):
    await office.receive(report())

    (body,) = office.bodies
    assert await office.slice_of(body) == original()
    assert sha256(original()).hexdigest() == body["raw"]["original_sha256"]
    assert await office.blobs.get(body["raw"]["store_key"]) == report()


async def test_an_original_that_had_to_be_decoded_is_kept_behind_the_report(office):
    encoded = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    encoded += b"RnJvbTogYUB4LmV4YW1wbGUNCg0KaGVsbG8NCg==\r\n"
    raw = report().replace(b"Content-Type: message/rfc822\r\n\r\n" + original(), encoded)

    await office.receive(raw)

    (body,) = office.bodies
    assert body["flags"] == ["transfer-encoded-original"]
    assert await office.slice_of(body) == b"From: a@x.example\r\n\r\nhello\r\n"
    assert body["raw"]["sha256"] == sha256(raw).hexdigest()
    assert await office.blobs.get(body["raw"]["store_key"], size_bytes=len(raw)) == raw


async def test_the_same_report_again_is_not_announced_again(office):
    resent = report(headers="Received: from elsewhere\r\nX-OriginatorOrg: c.example\r\n")
    await office.receive(report())
    await office.receive(report(), peer="192.0.2.2")
    await office.receive(resent)

    assert len(office.messages) == 1
    assert len(office.blobs.contents) == 1


async def test_forks_of_a_message_are_two_reports_of_one_message(office):
    received = "Received: from edge.contoso.example; Mon, 6 Jan 2025 10:00:01 +0000\r\n"
    other = original(headers=received + "X-MS-Exchange-Organization-SCL: 1\r\n")
    await office.receive(report())
    await office.receive(
        report(
            other,
            text=envelope("Recipient: eve@contoso.example"),
            report_id="<2@journal.report.generator>",
        )
    )

    first, second = office.bodies
    assert first["message_key"] == second["message_key"]
    assert first["report_key"] != second["report_key"]
    assert first["raw"]["original_sha256"] != second["raw"]["original_sha256"]


async def test_another_content_under_the_same_id_is_another_message(office):
    await office.receive(report())
    await office.receive(
        report(original(b"Pay here\r\n"), report_id="<2@journal.report.generator>")
    )

    first, second = office.bodies
    assert first["internet_message_id"] == second["internet_message_id"]
    assert first["message_key"] != second["message_key"]


@pytest.mark.parametrize(
    "other",
    [
        report(original(b"something else\r\n")),
        report(text=envelope("Recipient: eve@contoso.example")),
    ],
)
async def test_a_reused_report_id_costs_neither_report(office, other):
    await office.receive(report())
    await office.receive(other)
    await office.receive(other)

    first, second = office.bodies
    assert first["flags"] == []
    assert second["flags"] == ["conflicting-report-key"]
    assert first["report_key"] != second["report_key"]
    assert len({message.message_id for message in office.messages}) == 2


@pytest.mark.parametrize("broken", ["blobs", "report_keys"])
async def test_before_it_is_kept_and_entered_nothing_is_announced(office, broken):
    getattr(office, broken).broken = TransientError("blob_store_unavailable")
    with pytest.raises(TransientError):
        await office.receive(report())
    assert office.messages == []

    getattr(office, broken).broken = None
    await office.receive(report())
    assert len(office.messages) == 1


async def test_without_a_confirm_the_next_attempt_announces_the_same_bytes_again(office, clock):
    office.broker.failures = 1
    with pytest.raises(TransientError):
        await office.receive(report())
    (entered,) = office.report_keys.entries.values()
    await clock.advance(3600.0)

    await office.receive(report(), peer="192.0.2.2", encryption=ENCRYPTED)

    (body,) = office.bodies
    assert entered.published_at is None
    assert (body["source"]["peer"], body["source"]["tls"]) == ("192.0.2.1", False)
    assert body["received_at"] == "2026-01-05T09:00:00Z"


async def test_a_confirm_that_was_not_noted_leads_to_the_same_message_again(office, monkeypatch):
    async def broken(report_key, at):
        raise TransientError("database_unreachable")

    with monkeypatch.context() as patch:
        patch.setattr(office.report_keys, "mark_published", broken)
        await office.receive(report())
    await office.receive(report(), peer="192.0.2.2")

    first, second = office.messages
    assert (first.message_id, first.body) == (second.message_id, second.body)


async def test_without_anybody_to_hear_it_nothing_is_taken(office):
    office.exchange.topology = Topology(queues=())
    with pytest.raises(TransientError) as raised:
        await office.receive(report())

    assert raised.value.reason == "no_queue"
    office.exchange.topology = UNDELIVER
    await office.receive(report())
    assert len(office.messages) == 1


async def test_two_tenants_get_one_report_each_under_keys_of_their_own(office):
    await office.receive(report(), "acme", "globex")

    first, second = office.bodies
    assert [first["tenant"], second["tenant"]] == ["acme", "globex"]
    assert first["report_key"] != second["report_key"]
    assert first["message_key"] != second["message_key"]
    assert [first["direction"], second["direction"]] == ["inbound", "unknown"]
    assert first["raw"]["store_key"].startswith("acme/2026/01/05/")
    assert second["raw"]["store_key"].startswith("globex/2026/01/05/")


async def test_a_hundred_thousand_recipients_are_announced_part_by_part(office):
    lines = [f"To: u{n:06}@contoso.example, Expanded: all@contoso.example" for n in range(100_000)]
    await office.receive(report(text=envelope(*lines)))

    assert [(body["part"], body["parts"]) for body in office.bodies] == [
        (number, 100) for number in range(1, 101)
    ]
    addresses = [r["address"] for body in office.bodies for r in body["envelope"]["recipients"]]
    assert addresses == [f"u{n:06}@contoso.example" for n in range(100_000)]
    assert len({message.message_id for message in office.messages}) == 100
    assert len({body["report_key"] for body in office.bodies}) == 1


@pytest.mark.parametrize("recipients", [0, 1, 1000, 1001])
async def test_parts_hold_a_thousand_recipients_at_most(office, recipients):
    lines = [f"To: u{n}@contoso.example" for n in range(recipients)] or ["Label: none"]
    await office.receive(report(text=envelope(*lines)))

    sizes = [len(body["envelope"]["recipients"]) for body in office.bodies]
    assert sum(sizes) == recipients
    assert max(sizes) <= 1000
    assert len(sizes) == (2 if recipients == 1001 else 1)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            (
                b"From: O365ConnectorValidation@contoso.example\r\n"
                b"X-OriginatorOrg: contoso.example\r\n"
                b"Subject: Test email for connector validation\r\n\r\nTest\r\n"
            ),
            "connector_validation",
        ),
        (
            (
                b"From: bob@contoso.example\r\nSubject: 3|phish\r\n"
                b"Content-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\n"
                b"Content-Type: message/rfc822\r\n\r\nFrom: a@x.example\r\n\r\nhi\r\n--q--\r\n"
            ),
            "user_report",
        ),
    ],
)
async def test_mail_that_proves_no_delivery_is_held(office, content, reason):
    await office.receive(content)
    await office.receive(content)

    (message,), (body,) = office.messages, office.bodies
    assert (message.type, body["tenant"], body["reason"]) == ("mail.held.v1", "acme", reason)
    assert await office.blobs.get(body["store_key"]) == content


async def test_mail_for_no_tenant_is_held_without_one(office):
    await office.receive(report(), None)

    (message,), (body,) = office.messages, office.bodies
    assert (message.type, message.tenant, body["tenant"]) == ("mail.held.v1", None, None)
    assert (body["reason"], body["source"]["proof"]) == ("no_tenant", "none")
    assert body["store_key"].startswith("-/")


async def test_a_report_by_somebody_from_outside_is_ordinary_mail(office):
    content = (
        b"From: evil@x.example\r\nSubject: 3|phish\r\n"
        b"Content-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\n"
        b"Content-Type: message/rfc822\r\n\r\nFrom: a@x.example\r\n\r\nhi\r\n--q--\r\n"
    )
    await office.receive(content)

    (body,) = office.bodies
    assert (body["source"]["kind"], body["flags"]) == ("copy", ["not-a-journal"])


@pytest.mark.parametrize("content", [b"", b"\0\xff" * 50, b"From: x\r\ncannot-be-parsed\r\n"])
async def test_what_is_not_understood_is_announced_raw(office, content):
    await office.receive(content)

    (message,), (body,) = office.messages, office.bodies
    assert (message.type, body["source"]["kind"]) == ("mail.journaled.v1", "unknown")
    assert body["flags"]
    assert await office.slice_of(body) == content
