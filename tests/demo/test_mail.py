"""The demonstration's mail is whole, well-formed and example mail only."""

import email
import email.policy
import re
from collections import Counter
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import getaddresses
from importlib.resources import files

import dkim
import pytest
import yaml

from libs.common.contracts.mail import Disposition
from services.demo import scenario
from services.demo.post import Mail, compose, load_mail
from services.demo.signer import Signer

_FOLDER = files("services.demo.mail")
_NAMES = sorted(each.name.removesuffix(".eml") for each in _FOLDER.iterdir() if ".eml" in each.name)
_SENT_AT = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
_TENANT_ID = scenario.MICROSOFT_TENANT_ID
#: Nobody may own these (RFC 2606, RFC 5737).
_EXAMPLE = re.compile(r"(\.example|(192\.0\.2|198\.51\.100|203\.0\.113)\.\d+)$")


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


@pytest.fixture(scope="module")
def mails() -> dict[str, Mail]:
    return {mail.name: mail for mail in load_mail()}


@pytest.fixture(scope="module")
def expected() -> dict[str, str]:
    return yaml.safe_load((_FOLDER / "expected.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def composed(mails, signer) -> dict[str, bytes]:
    return {
        name: compose(mail, signer, sent_at=_SENT_AT, tenant_id=_TENANT_ID)
        for name, mail in mails.items()
    }


def parse(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_every_file_is_sent_and_has_a_disposition_to_be_measured_by(mails, expected):
    assert list(mails) == sorted(mails)
    assert list(mails) == list(expected) == _NAMES
    assert set(expected.values()) == {each.value for each in Disposition}


def test_about_thirty_messages_reach_a_dozen_mailboxes(mails, tmp_path):
    seed = scenario.seed(scenario.new_secret(tmp_path), 25)
    mailboxes = {mailbox.address for mailbox in seed.tenants[0].mailboxes}

    assert 28 <= len(mails) <= 40
    assert len(mailboxes) == 12
    assert {address for mail in mails.values() for address in mail.to} == mailboxes


@pytest.mark.parametrize("name", _NAMES)
def test_a_message_travels_as_mail_does(composed, name):
    raw = composed[name]
    message = parse(raw)

    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 998  # RFC 5322 §2.1.1
    assert not [part.defects for part in message.walk() if part.defects]
    for once in ("From", "Date", "Subject", "Message-ID"):
        assert len(message.get_all(once)) == 1
    assert message["Date"].datetime == _SENT_AT


@pytest.mark.parametrize("name", _NAMES)
def test_a_message_names_nobody_who_exists(mails, composed, name):
    message, mail = parse(composed[name]), mails[name]
    fields = [str(message.get(header, "")) for header in ("From", "To", "Cc", "Reply-To", "Sender")]
    addresses = [address for _, address in getaddresses(fields) if address]
    links = re.findall(rb"https?://([^/\"'\s<>:?]+)", (_FOLDER / f"{name}.eml").read_bytes())
    hosts = [address.rpartition("@")[2] for address in (*addresses, *mail.to, mail.mail_from)]

    assert [host for host in hosts if not _EXAMPLE.search(host)] == []
    assert [host for host in links if not _EXAMPLE.search(host.decode())] == []


@pytest.mark.parametrize("name", _NAMES)
def test_a_signature_holds_against_the_record_that_the_demonstration_serves(
    mails, signer, composed, name
):
    domain = mails[name].signed_by
    records = signer.records([domain] if domain else [], own_domain=scenario.DOMAIN)

    def look_up(key_name: bytes, **_: object) -> bytes | None:
        text = records.get(key_name.decode().rstrip("."))
        return None if text is None else text.encode()

    assert dkim.verify(composed[name], dnsfunc=look_up) is (domain is not None)


def test_a_signature_does_not_survive_a_change(mails, signer, composed):
    name = next(name for name, mail in mails.items() if mail.signed_by)
    records = signer.records([mails[name].signed_by], own_domain=scenario.DOMAIN)
    changed = composed[name].replace(b"Subject: ", b"Subject: Re: ", 1)

    assert not dkim.verify(changed, dnsfunc=lambda key, **_: records[key.decode()[:-1]].encode())


def test_two_messages_share_a_message_id_and_only_one_is_good(composed, expected):
    ids = {name: parse(raw)["Message-ID"] for name, raw in composed.items()}
    shared = [each for each, count in Counter(ids.values()).items() if count > 1]
    colliding = [name for name, each in ids.items() if each in shared]

    assert len(shared) == 1
    assert sorted(expected[name] for name in colliding) == ["malicious", "none"]


def test_no_file_of_the_demonstration_upsets_a_virus_scanner(composed):
    signature = b"EICAR" + b"-STANDARD-ANTIVIRUS-TEST-FILE"
    sources = [*_FOLDER.iterdir(), *files("services.demo").iterdir()]

    assert [
        each.name for each in sources if each.is_file() and signature in each.read_bytes()
    ] == []
    contents = [
        part.get_payload(decode=True)
        for raw in composed.values()
        for part in parse(raw).iter_attachments()
    ]
    assert any(signature in content for content in contents)


@pytest.mark.parametrize("name", _NAMES)
def test_microsofts_stamps_say_who_sent_it(mails, composed, name):
    message, mail = parse(composed[name]), mails[name]
    direction = message["X-MS-Exchange-Organization-MessageDirectionality"]
    results = str(message["Authentication-Results"] or "")

    assert direction == ("Originating" if mail.internal else "Incoming")
    assert (f"smtp.mailfrom={mail.mail_from.rpartition('@')[2]}" in results) is not mail.internal
    assert ("dkim=pass" in results) is (mail.signed_by is not None)
