"""What only the Graph adapter does: signing in, hostile answers, limits."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from libs.common.clock import SystemClock
from libs.common.errors import PermanentError, TransientError
from libs.graph_simulator.graph.failures import Effect, Match, Rule
from libs.graph_simulator.options import Latency
from libs.graph_simulator.seed import ApplicationSeed
from libs.graph_simulator.server import Simulator
from services.retractor.adapters.graph.answers import Answer, failure, retry_after_seconds
from services.retractor.adapters.graph.clouds import CLOUDS, cloud_of
from services.retractor.adapters.graph.connections import Endpoints
from services.retractor.adapters.graph.mailboxes import GraphMailboxes
from services.retractor.app import ConfiguredRules
from services.retractor.domain.mail import Mailbox
from tests.retractor.rig import TENANT, Mail, deliver, in_force

ANN = "ann@acme.example"
MICROSOFT_ID = "11111111-2222-4333-8444-555555555555"
NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


@pytest.fixture
async def connect(simulator: Simulator, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RIG_SECRET", "s3cret")
    opened = []

    def connected(**graph: object) -> GraphMailboxes:
        access = {"graph": {"client_id": "client"} | graph} if graph else {}
        rules = ConfiguredRules(in_force(**access))
        endpoints = Endpoints(
            graph_url=simulator.graph_url,
            authority_url=simulator.authority_url,
            ca_file=simulator.ca_file,
        )
        opened.append(GraphMailboxes(rules.tenant, endpoints, SystemClock()))
        return opened[-1]

    yield connected
    for mailboxes in opened:
        await mailboxes.close()


Connect = Callable[..., GraphMailboxes]


async def ann_of(mailboxes: GraphMailboxes) -> Mailbox:
    found = await mailboxes.resolve(TENANT, ANN)
    assert found is not None
    return found


async def test_many_callers_at_once_ask_for_one_token(connect: Connect, simulator: Simulator):
    mailboxes = connect()

    await asyncio.gather(*(mailboxes.resolve(TENANT, ANN) for _ in range(30)))

    assert sum(simulator.admin.statistics()["token_requests"].values()) == 1


async def test_signing_in_with_a_certificate(connect, simulator, tmp_path: Path):
    pem = certificate(tmp_path / "app.pem")
    application = ApplicationSeed(client_id="by-certificate", certificates_pem=(pem,))
    simulator.admin.add_application(MICROSOFT_ID, application)

    mailboxes = connect(client_id="by-certificate", certificate=f"file:{tmp_path / 'app.pem'}")

    assert (await ann_of(mailboxes)).user_id


def certificate(path: Path) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "undeliver")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    public = built.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + public)
    path.chmod(0o600)
    return public.decode()


async def test_a_wrong_secret_may_be_put_right(connect, monkeypatch):
    monkeypatch.setenv("RIG_SECRET", "wrong")
    with pytest.raises(TransientError, match="sign_in_failed"):
        await connect().resolve(TENANT, ANN)


async def test_so_may_a_missing_one(connect, monkeypatch):
    monkeypatch.delenv("RIG_SECRET")
    mailboxes = connect()
    with pytest.raises(TransientError, match="credential_unavailable"):
        await mailboxes.resolve(TENANT, ANN)

    monkeypatch.setenv("RIG_SECRET", "s3cret")
    assert await ann_of(mailboxes)


async def test_a_link_that_leads_elsewhere_is_not_followed(connect, simulator):
    mailboxes = connect()
    ann = await ann_of(mailboxes)
    elsewhere = Effect(next_link="https://graph.evil.example/v1.0/next")
    simulator.admin.add_rule(
        Rule(match=Match(operation="list_messages"), when="after", effect=elsewhere)
    )

    with pytest.raises(PermanentError, match="foreign_link"):
        await mailboxes.with_message_id(ann, "<x@evil.example>")


async def test_links_that_lead_in_a_circle_end(connect, simulator):
    mailboxes = connect()
    ann = await ann_of(mailboxes)
    link = f"{simulator.graph_url}/v1.0/users/{ann.user_id}/messages?$top=1"
    simulator.admin.add_rule(
        Rule(
            match=Match(operation="list_messages"),
            when="after",
            effect=Effect(next_link=link),
            times=None,
        )
    )

    assert await mailboxes.with_message_id(ann, "<x@evil.example>") == []


@pytest.mark.parametrize(
    "effect", [Effect(truncate=True), Effect(connection="reset"), Effect(status=503)]
)
async def test_a_broken_answer_is_worth_another_try(effect, connect, simulator):
    mailboxes = connect()
    ann = await ann_of(mailboxes)
    simulator.admin.add_rule(
        Rule(match=Match(operation="list_messages"), when="after", effect=effect)
    )
    mail = Mail()
    deliver(simulator, mail)

    with pytest.raises(TransientError, match="graph_unavailable"):
        await mailboxes.with_message_id(ann, mail.internet_message_id)
    assert len(await mailboxes.with_message_id(ann, mail.internet_message_id)) == 1


async def test_an_answer_of_any_length_is_broken_off(connect, simulator, monkeypatch):
    monkeypatch.setattr("services.retractor.adapters.graph.bounded.MAX_ANSWER_BYTES", 1000)
    mailboxes = connect()
    ann = await ann_of(mailboxes)
    deliver(simulator, Mail(subject="x" * 5000))

    with pytest.raises(TransientError, match="graph_unavailable"):
        await mailboxes.with_message_id(ann, Mail().internet_message_id)


async def test_never_more_calls_in_a_mailbox_than_graph_allows(connect, simulator):
    simulator.admin.set_latency(Latency(median_ms=20))
    mailboxes = connect()
    ann = await ann_of(mailboxes)

    calls = [mailboxes.with_message_id(ann, f"<{n}@evil.example>") for n in range(20)]
    await asyncio.gather(*calls)

    assert max(simulator.admin.statistics()["highest_concurrency"].values()) <= 4


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("1", 1.0),
        ("2.128", 2.128),
        ("0", 0.0),
        ("-5", 0.0),
        (format_datetime(NOW + timedelta(seconds=7)), 7.0),
        (format_datetime(NOW - timedelta(seconds=7)), 0.0),
        ("999999999", 3600.0),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", 3600.0),
    ],
)
def test_retry_after_in_every_form(header, seconds):
    assert retry_after_seconds(Answer(429, {"retry-after": header}), NOW) == seconds


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (429, "ApplicationThrottled", "throttled"),
        (429, "TooManyRequests", "throttled_everywhere"),
        (403, "ErrorAccessDenied", "out_of_scope"),
        (403, "Authorization_RequestDenied", "permission_missing"),
        (404, "MailboxNotEnabledForRESTAPI", "mailbox_not_rest_enabled"),
        (404, "ErrorInvalidUser", "mailbox_not_found"),
        (404, "ResourceNotFound", "mailbox_not_found"),
        (507, "ErrorQuotaExceeded", "mailbox_full"),
        (503, "", "graph_unavailable"),
        (500, "ErrorMailboxMoveInProgress", "mailbox_moving"),
        (400, "InefficientFilter", "graph_error"),
    ],
)
def test_each_refusal_has_its_reason(status, code, reason):
    assert failure(Answer(status, {}, {"error": {"code": code}}), NOW).reason == reason


def test_every_cloud_of_the_configuration_has_its_endpoints():
    for name in ("global", "gcc_high", "dod", "china"):
        cloud = cloud_of(name, graph_url=None, authority_url=None)
        assert cloud.has_permanent_delete is (name == "global")
    assert len({cloud.graph_url for cloud in CLOUDS.values()}) == 4
