"""Four processes on RabbitMQ: mail in, verdicts, removals by order of others, the record."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any
from uuid import uuid4

import aio_pika.exceptions
import pytest

from tests.e2e import upstream
from tests.e2e.mail import Mail, send
from tests.e2e.record import Recorded
from tests.e2e.scene import Ground, Scene, scene
from tests.e2e.tenant import ACME, GLOBEX, Tenant
from tests.e2e.waiting import until
from tests.ingest.certificates import trusting, write_pair
from tests.services.vhosts import RabbitServer

pytestmark = pytest.mark.timeout(240)

_NUMBERS = count(1)
_GONE = "recoverableitemsdeletions"


@pytest.fixture(scope="module")
def stage(
    ground: Ground, rabbit: RabbitServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    files, _ = write_pair(tmp_path_factory.mktemp("certificate"))
    settings = {
        "INGEST_TLS": "required",
        "INGEST_TLS_CERTIFICATE": str(files.certificate),
        "INGEST_TLS_KEY": str(files.key),
    }
    with scene(ground, "services", rabbit, settings=settings, tenants=(ACME, GLOBEX)) as set_up:
        set_up.start()
        yield set_up


@pytest.fixture
def heard(stage: Scene) -> Callable[..., Recorded]:
    """Wait for a record of a type whose body has these fields, and give it."""

    def heard(type_: str, **fields: Any) -> Recorded:
        def look() -> Recorded | None:
            for each in stage.undeliver.recorded(type_):
                if all(each.body.get(name) == value for name, value in fields.items()):
                    return each
            return None

        return until(look, f"{type_} with {fields}")

    return heard


def report(stage: Scene, mail: Mail) -> int:
    """Hand the report of a message over and return the reply."""
    (port,) = stage.undeliver.smtp_ports
    return send(port, mail.report(), to=mail.tenant.journal_address, tls=trusting())[0]


def new_mail(stage: Scene, tenant: Tenant = ACME, *, is_bad: bool = False, people: int = 1) -> Mail:
    """Return a message that lies in mailboxes, and is not reported yet."""
    mail = Mail(next(_NUMBERS), is_bad, tenant.people[:people], tenant)
    stage.deliver([mail])
    return mail


def order(mail: Mail, **more: Any) -> dict[str, Any]:
    """Return the body of a retract command as an upstream system writes it."""
    body = {
        "tenant": mail.tenant.id,
        "retraction_id": str(uuid4()),
        "internet_message_id": mail.internet_message_id,
        "destination": "junk",
        "reason": "on a block list",
        "requested_by": "playbook 7",
    }
    return body | more


def soar(stage: Scene) -> str:
    url = stage.site.addresses("soar").amqp_url
    assert url is not None
    return url


def test_bad_mail_is_taken_back_and_every_step_is_on_record(stage, heard):
    mail = new_mail(stage, is_bad=True, people=2)

    assert report(stage, mail) == 250
    verdict = heard("mail.classified.v1", internet_message_id=mail.internet_message_id).body
    heard("retraction.finished.v1", retraction_id=verdict["retraction_id"])

    told = stage.undeliver.run(
        "audit", "timeline", "--retraction", verdict["retraction_id"], "--json"
    )
    assert set(stage.mailboxes.folders(mail.internet_message_id).values()) == {_GONE}
    assert {(each["type"], each["publisher"]) for each in told.records} == {
        ("mail.journaled.v1", "ingest"),
        ("mail.classified.v1", "classifier"),
        ("mail.retract.v1", "classifier"),
        ("retraction.accepted.v1", "retractor"),
        ("copy.settled.v1", "retractor"),
        ("retraction.finished.v1", "retractor"),
    }


def test_mail_comes_encrypted_or_not_at_all(stage, heard):
    mail = new_mail(stage)
    (port,) = stage.undeliver.smtp_ports

    assert send(port, mail.report())[0] == 530
    assert report(stage, mail) == 250

    told = heard("mail.journaled.v1", internet_message_id=mail.internet_message_id).body
    assert told["source"]["tls"] is True


def test_an_upstream_system_has_mail_taken_back_and_a_person_puts_it_back(stage, heard):
    mail = new_mail(stage, people=2)
    report(stage, mail)
    heard("mail.classified.v1", internet_message_id=mail.internet_message_id)
    wanted = order(mail)

    message_id = upstream.ask(soar(stage), "mail.retract.v1", wanted)
    heard("retraction.finished.v1", retraction_id=wanted["retraction_id"])
    taken = stage.mailboxes.folders(mail.internet_message_id)
    words = ("--tenant", ACME.id, "--reason", "a mistake", "--requested-by", "pat@acme.example")
    back = stage.undeliver.run(
        "retractor", "restore", wanted["retraction_id"], *words, "--wait", "--json"
    )

    assert set(taken.values()) == {"junkemail"}
    assert (back.code, back.record["counts"]["restored"]) == (0, 2)
    assert set(stage.mailboxes.folders(mail.internet_message_id).values()) == {"inbox"}
    (asked,) = [each for each in stage.undeliver.recorded() if each.message_id == message_id]
    assert (asked.publisher, asked.flags) == ("soar", ())
    (undone,) = stage.undeliver.recorded("retraction.restore.v1")
    assert undone.publisher == "cli"


def test_a_command_for_a_foreign_tenant_is_kept_listed_and_on_record(stage, heard):
    mail = new_mail(stage, GLOBEX)
    report(stage, mail)

    message_id = upstream.ask(soar(stage), "mail.retract.v1", order(mail))
    told = heard("delivery.dead_lettered.v1", dead_message_id=message_id).body
    listed = stage.undeliver.run("broker", "dead-letters", "list", "--json").records

    assert (told["reason"], told["publisher"]) == ("not_authorised", "soar")
    assert [each["reason"] for each in listed if each["message_id"] == message_id] == [
        "not_authorised"
    ]
    (asked,) = [each for each in stage.undeliver.recorded() if each.message_id == message_id]
    assert (asked.publisher, asked.flags) == ("soar", ("not_authorised",))
    assert set(stage.mailboxes.folders(mail.internet_message_id).values()) == {"inbox"}


def test_a_type_that_an_upstream_system_may_not_send_is_refused_by_the_broker(stage):
    body = {"tenant": ACME.id, "retraction_id": str(uuid4()), "reason": "", "requested_by": ""}

    with pytest.raises(aio_pika.exceptions.AMQPError, match="ACCESS_REFUSED"):
        upstream.ask(soar(stage), "retraction.cancel.v1", body)


def test_an_upstream_system_cannot_speak_in_the_name_of_another(stage):
    with pytest.raises(aio_pika.exceptions.AMQPError, match="user_id"):
        upstream.ask(soar(stage), "mail.retract.v1", order(new_mail(stage)), user="cli")


def test_one_message_to_two_tenants_is_two_and_neither_hears_of_the_other(stage, heard):
    ours = new_mail(stage, is_bad=True)
    theirs = Mail(ours.number, True, GLOBEX.people[:1], GLOBEX)
    stage.deliver([theirs])
    known_as = {"internet_message_id": ours.internet_message_id}

    for mail in (ours, theirs):
        assert report(stage, mail) == 250
        verdict = heard("mail.classified.v1", tenant=mail.tenant.id, **known_as).body
        ended = heard("retraction.finished.v1", retraction_id=verdict["retraction_id"])
        assert (ended.chain, ended.body["counts"]["moved"]) == (mail.tenant.id, 1)

    assert set(stage.mailboxes.folders(ours.internet_message_id).values()) == {_GONE}
    for tenant, other in ((ACME, GLOBEX), (GLOBEX, ACME)):
        chain = stage.undeliver.recorded(chain=tenant.id)
        assert chain
        assert not any(other.domain in str(each.body) for each in chain)


def test_mail_is_refused_for_now_while_the_blob_store_is_gone_and_taken_afterwards(stage, heard):
    mail, blobs = new_mail(stage, is_bad=True), stage.site.blobs
    door = stage.undeliver.of("ingest")
    elsewhere = blobs.rename(blobs.with_name("blobs-elsewhere"))

    assert report(stage, mail) == 451
    until(lambda: not door.is_ready(), "ingest to say that it cannot work")
    elsewhere.rename(blobs)
    until(lambda: report(stage, mail) == 250, "the report to be taken")

    verdict = heard("mail.classified.v1", internet_message_id=mail.internet_message_id).body
    assert verdict["disposition"] == "malicious"
    until(door.is_ready, "ingest to be ready again")


def test_the_record_of_all_tenants_holds(stage):
    verified = stage.undeliver.run("audit", "verify", "--json").record

    assert verified["verified"] is True
    assert {ACME.id, GLOBEX.id} <= {chain["chain"] for chain in verified["chains"]}
