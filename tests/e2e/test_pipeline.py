"""One mail, all the way: by SMTP in, judged, taken out of mailboxes, put back, and on record."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from libs.common.broker.port import Message
from libs.common.contracts.retraction import RestoreRetraction, RetractMail
from tests.e2e.installation import Installation, free_port, installation
from tests.e2e.mail import Mail, send
from tests.e2e.microsoft import Microsoft, microsoft
from tests.e2e.programs import Programs
from tests.e2e.record import Recorded
from tests.e2e.tenant import JOURNAL_ADDRESS, PEOPLE, SOC, TENANT, write_configuration, write_seed
from tests.e2e.waiting import until

pytestmark = pytest.mark.timeout(240)

ANN, BEN, CLEO, *_ = PEOPLE
_NUMBERS = count(1)


@pytest.fixture(scope="module")
def home(place: Path) -> Path:
    folder = place / "pipeline"
    folder.mkdir(mode=0o711)
    return folder


@pytest.fixture(scope="module")
def smtp_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def mailboxes(programs: Programs, home: Path, smtp_port: int) -> Iterator[Microsoft]:
    """Give Microsoft's side, which journals to undeliver by itself."""
    seed = write_seed(home, journal_port=smtp_port)
    with microsoft(programs, home, seed) as simulated:
        yield simulated


@pytest.fixture(scope="module")
def undeliver(
    programs: Programs, home: Path, mailboxes: Microsoft, nameserver: str, smtp_port: int
) -> Iterator[Installation]:
    settings = {
        **mailboxes.settings,
        "CLASSIFIER_NAMESERVERS": f'["{nameserver}"]',
    }
    with installation(programs, home, write_configuration(home), settings, smtp_port) as installed:
        installed.start()
        yield installed


@pytest.fixture
def deliver(mailboxes: Microsoft) -> Callable[..., Mail]:
    """Deliver a new message, as Exchange does: into mailboxes, and a report to us."""

    def deliver(*, is_bad: bool = False, to: tuple[str, ...] = (ANN,)) -> Mail:
        mail = Mail(next(_NUMBERS), is_bad, to)
        mailboxes.deliver(mail.mime(), mail.sender, mail.to)
        return mail

    return deliver


@pytest.fixture
def heard(undeliver: Installation) -> Callable[..., Recorded]:
    """Wait for a record of a type whose body has these fields, and give it."""

    def heard(type_: str, **fields: Any) -> Recorded:
        def look() -> Recorded | None:
            for each in undeliver.recorded(type_):
                body = each.body if isinstance(each.body, dict) else {}
                if all(body.get(name) == value for name, value in fields.items()):
                    return each
            return None

        return until(look, f"{type_} with {fields}")

    return heard


@pytest.fixture
def judged(heard: Callable[..., Recorded]) -> Callable[[Mail], Recorded]:
    return lambda mail: heard("mail.classified.v1", internet_message_id=mail.internet_message_id)


def _message(contract: RetractMail | RestoreRetraction, body: bytes | None = None) -> Message:
    message_id = str(uuid4())
    return Message(
        message_id=message_id,
        type=contract.type,
        body=contract.body() if body is None else body,
        tenant=contract.tenant,
        correlation_id=message_id,
        causation_id=None,
        timestamp=datetime.now(UTC),
        app_id="a-playbook",
    )


def _retract(mail: Mail, **more: Any) -> RetractMail:
    fields = {
        "tenant": TENANT,
        "retraction_id": uuid4(),
        "internet_message_id": mail.internet_message_id,
        "destination": "junk",
        "reason": "on a block list",
        "requested_by": "playbook 7",
    }
    return RetractMail.model_validate(fields | more)


def test_bad_mail_is_taken_out_of_every_mailbox_but_the_protected_one(
    undeliver, mailboxes, deliver, heard, judged
):
    mail = deliver(is_bad=True, to=(ANN, BEN, SOC))

    verdict = judged(mail).body
    finished = heard("retraction.finished.v1", retraction_id=verdict["retraction_id"]).body

    assert (verdict["disposition"], verdict["action"]) == ("malicious", "soft_delete")
    assert mailboxes.folders(mail.internet_message_id) == {
        ANN: "recoverableitemsdeletions",
        BEN: "recoverableitemsdeletions",
        SOC: "inbox",
    }
    assert finished["status"] == "finished"
    assert (finished["counts"]["moved"], finished["counts"]["refused"]) == (2, 1)


def test_every_step_of_a_removal_is_on_record_with_its_publisher(undeliver, deliver, heard, judged):
    mail = deliver(is_bad=True)
    retraction_id = judged(mail).body["retraction_id"]
    heard("retraction.finished.v1", retraction_id=retraction_id)

    told = undeliver.run("audit", "timeline", "--retraction", retraction_id, "--json")

    assert told.code == 0
    assert {(each["type"], each["publisher"]) for each in told.records} == {
        ("mail.journaled.v1", "ingest"),
        ("mail.classified.v1", "classifier"),
        ("mail.retract.v1", "classifier"),
        ("retraction.accepted.v1", "retractor"),
        ("copy.settled.v1", "retractor"),
        ("retraction.finished.v1", "retractor"),
    }
    assert {each["tenant"] for each in told.records} == {TENANT}
    assert all(each["flags"] == [] for each in told.records)


def test_good_mail_is_judged_and_left_alone(mailboxes, deliver, judged):
    mail = deliver(to=(ANN, BEN))

    verdict = judged(mail).body

    assert (verdict["disposition"], verdict["retraction_id"]) == ("none", None)
    assert set(mailboxes.folders(mail.internet_message_id).values()) == {"inbox"}


def test_a_person_takes_mail_back_with_its_answers_and_puts_it_back_again(
    undeliver, mailboxes, deliver, judged, heard
):
    mail = deliver(to=(ANN,))
    judged(mail)
    answer = mailboxes.forward(ANN, mail.internet_message_id, BEN)
    heard("mail.classified.v1", internet_message_id=answer)
    about = ("--tenant", TENANT, "--reason", "a test", "--requested-by", "pat@acme.example")
    meant = ("--message-id", mail.internet_message_id, "--destination", "trash", "--depth", "2")

    taken = undeliver.run("retractor", "retract", *about, *meant, "--wait", "--json")
    after_taking = mailboxes.folders(answer) | mailboxes.folders(mail.internet_message_id)
    retraction_id = taken.record["retraction_id"]
    back = undeliver.run("retractor", "restore", retraction_id, *about, "--wait", "--json")

    assert (taken.code, taken.record["status"]) == (0, "finished")
    assert taken.record["counts"]["moved"] == 3
    assert after_taking == {ANN: "deleteditems", BEN: "deleteditems"}
    assert (back.code, back.record["counts"]["restored"]) == (0, 3)
    assert mailboxes.folders(mail.internet_message_id) == {ANN: "inbox"}
    assert mailboxes.folders(answer) == {ANN: "sentitems", BEN: "inbox"}


def test_a_dry_run_says_what_would_happen_and_does_nothing(undeliver, mailboxes, deliver, judged):
    mail = deliver(to=(ANN, SOC))
    judged(mail)
    words = ("--tenant", TENANT, "--reason", "a test", "--message-id", mail.internet_message_id)
    want = ("--destination", "hard_delete", "--dry-run", "--wait", "--json")

    told = undeliver.run("retractor", "retract", *words, *want)

    assert (told.code, told.record["dry_run"]) == (0, True)
    plan = {copy["mailbox"]: copy["reason"] for copy in told.record["copies"]}
    assert plan == {ANN: None, SOC: "protected_mailbox"}
    would_be = {copy["mailbox"]: copy["would_be"] for copy in told.record["copies"]}
    assert would_be == {ANN: "moved", SOC: "refused"}
    assert told.record["counts"]["untouched"] == len(plan)
    assert told.record["counts"]["moved"] == 0
    assert undeliver.recorded("retraction.planned.v1")
    assert mailboxes.folders(mail.internet_message_id) == {ANN: "inbox", SOC: "inbox"}


def test_the_ledger_is_listed_and_shown_as_json(undeliver, deliver, heard, judged):
    retraction_id = judged(deliver(is_bad=True)).body["retraction_id"]
    heard("retraction.finished.v1", retraction_id=retraction_id)

    listed = undeliver.run("retractor", "list", "--tenant", TENANT, "--json")
    shown = undeliver.run("retractor", "show", retraction_id, "--json")
    unknown = undeliver.run("retractor", "show", str(uuid4()), "--json")

    assert retraction_id in {each["retraction_id"] for each in listed.records}
    assert [copy["folder_after"] for copy in shown.record["copies"]] == [
        "recoverableitemsdeletions"
    ]
    assert (unknown.code, unknown.out) == (1, "")


def test_an_upstream_system_has_mail_taken_back_within_its_rights(
    undeliver, mailboxes, deliver, judged, heard
):
    mail = deliver(to=(CLEO,))
    judged(mail)
    gentle, hard = _retract(mail), _retract(mail, destination="hard_delete")

    for command in (hard, gentle):
        undeliver.publish("soar", _message(command))
    refused = heard("retraction.finished.v1", retraction_id=str(hard.retraction_id)).body
    heard("retraction.finished.v1", retraction_id=str(gentle.retraction_id))

    assert (refused["status"], refused["reason"]) == ("refused", "destination_not_allowed")
    assert mailboxes.folders(mail.internet_message_id) == {CLEO: "junkemail"}


def test_a_command_that_breaks_its_contract_is_kept_with_its_reason_and_on_record(
    undeliver, deliver, heard
):
    broken = _message(_retract(deliver()), body=b'{"tenant": "acme", "retraction_id": 7}')

    undeliver.publish("soar", broken)
    told = heard("delivery.dead_lettered.v1", dead_message_id=broken.message_id).body
    (letter,) = _letters_about(undeliver, broken)

    assert (told["publisher"], told["dead_type"]) == ("soar", "mail.retract.v1")
    assert told["reason"] == letter.reason
    assert letter.delivery.message.body == broken.body
    (record,) = [r for r in undeliver.recorded() if r.message_id == broken.message_id]
    assert record.flags == ("contract_violated",)
    assert record.body == broken.body


def test_a_command_without_the_right_to_it_is_kept_with_its_reason_and_on_record(
    undeliver, mailboxes, deliver, heard, judged
):
    mail = deliver(is_bad=True)
    retraction_id = judged(mail).body["retraction_id"]
    heard("retraction.finished.v1", retraction_id=retraction_id)
    restore = RestoreRetraction(
        tenant=TENANT,
        restore_id=uuid4(),
        retraction_id=retraction_id,
        reason="let it through",
        requested_by="ceo@acme.example",
    )
    unlawful = _message(restore)

    undeliver.publish("soar", unlawful)
    told = heard("delivery.dead_lettered.v1", dead_message_id=unlawful.message_id).body
    (letter,) = _letters_about(undeliver, unlawful)

    assert told["reason"] == letter.reason == "not_authorised"
    assert mailboxes.folders(mail.internet_message_id) == {ANN: "recoverableitemsdeletions"}
    (record,) = [r for r in undeliver.recorded() if r.message_id == unlawful.message_id]
    assert (record.publisher, record.flags) == ("soar", ("not_authorised",))


def test_a_command_for_a_foreign_tenant_is_kept_and_not_executed(undeliver, deliver, heard):
    foreign = _message(_retract(deliver(), tenant="globex"))

    undeliver.publish("soar", foreign)

    told = heard("delivery.dead_lettered.v1", dead_message_id=foreign.message_id).body
    assert told["reason"] == "not_authorised"


@pytest.mark.parametrize(
    ("raw", "flag"),
    [
        pytest.param(b"\x00\xff\xfe\r\n\x80 no mail at all \r\n" * 3, "no-headers", id="noise"),
        pytest.param(
            b"Subject: hello\r\nFrom: someone@fabrikam.example\r\n\r\nnot a report\r\n",
            "not-a-journal",
            id="unknown",
        ),
        pytest.param(
            b'Content-Type: multipart/mixed; boundary="b"\r\nX-MS-Journal-Report:\r\n'
            b"Message-ID: <cut@journal.report.generator>\r\n\r\n--b\r\nContent-Type: text/plain\r\n"
            b"\r\nSender: eve@fabrikam.example\r\nRecipient: ann@acme.example\r\n--b--\r\n",
            "original-missing",
            id="report without its original",
        ),
    ],
)
def test_mail_that_is_not_understood_is_accepted_kept_and_flagged(undeliver, raw, flag, smtp_port):
    code, _ = send(smtp_port, raw)

    kept = _announced(undeliver, raw)
    assert code == 250
    assert flag in kept["flags"]
    assert (undeliver.data / "blobs" / kept["raw"]["store_key"]).read_bytes() == raw


def test_mail_for_no_tenant_is_held_and_a_wrong_token_is_refused(undeliver, heard, smtp_port):
    raw = b"Subject: connector test\r\n\r\nhello\r\n"
    domain = JOURNAL_ADDRESS.partition("@")[2]

    assert send(smtp_port, raw, to=f"postmaster@{domain}")[0] == 250
    assert send(smtp_port, raw, to=f"guess@{domain}")[0] == 550
    assert send(smtp_port, raw, to="ann@elsewhere.example")[0] == 550

    held = heard("mail.held.v1", sha256=sha256(raw).hexdigest()).body
    assert (held["tenant"], held["reason"]) == (None, "no_tenant")
    assert (undeliver.data / "blobs" / held["store_key"]).read_bytes() == raw


def test_search_finds_by_section_mailbox_person_and_outcome(undeliver, deliver, heard, judged):
    mail = deliver(is_bad=True, to=(CLEO,))
    retraction_id = judged(mail).body["retraction_id"]
    heard("retraction.finished.v1", retraction_id=retraction_id)
    words = ("--section", "retract", "--mailbox", CLEO, "--outcome", "moved", "--json")

    found = undeliver.run("audit", "search", *words).records

    assert retraction_id in {each["public"]["retraction_id"] for each in found}
    assert {each["type"] for each in found} == {"copy.settled.v1"}
    assert undeliver.run("audit", "search", "--person", "x@acme.example", "--json").out == ""


def test_the_record_holds_and_nothing_of_ours_was_given_up_on(undeliver, deliver, judged):
    judged(deliver())

    verified = undeliver.run("audit", "verify", "--json")

    assert verified.code == 0
    assert verified.record["verified"] is True
    assert TENANT in {chain["chain"] for chain in verified.record["chains"]}
    assert {letter.delivery.publisher for letter in undeliver.dead_letters()} <= {"soar"}


def _announced(undeliver: Installation, raw: bytes) -> dict[str, Any]:
    """Wait for the announcement of these bytes."""
    digest = sha256(raw).hexdigest()

    def look() -> dict[str, Any] | None:
        for each in undeliver.recorded("mail.journaled.v1"):
            if each.body["raw"]["sha256"] == digest:
                return dict(each.body)
        return None

    return until(look, "a journaled message of these bytes")


def _letters_about(undeliver: Installation, message: Message) -> list[Any]:
    letters = undeliver.dead_letters()
    return [each for each in letters if each.delivery.message.message_id == message.message_id]
