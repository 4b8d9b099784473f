"""`kill -9` in the middle of a stream of mail, again and again: nothing is lost, or done twice."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.exchange import Exchange, exchange
from tests.e2e.installation import Installation, Recorded, installation
from tests.e2e.mail import Mail
from tests.e2e.microsoft import Microsoft, microsoft
from tests.e2e.programs import Programs, processes_about
from tests.e2e.tenant import PEOPLE, write_configuration, write_seed
from tests.e2e.waiting import until

#: Of Graph: so that kills meet moves on their way.
_LATENCY_MS = 60.0
_PATIENCE_SECONDS = 240.0
#: From one more report accepted to the kill.
_LONGEST_PAUSE_SECONDS = 0.4
#: A start takes some seconds: every third one is killed within this time.
_START_SECONDS = 4.0


@pytest.fixture
def home(place: Path, request: pytest.FixtureRequest) -> Path:
    folder = place / f"kill-{request.node.callspec.id}"
    folder.mkdir(mode=0o711)
    return folder


@pytest.fixture
def mailboxes(programs: Programs, home: Path) -> Iterator[Microsoft]:
    with microsoft(programs, home, write_seed(home, latency_ms=_LATENCY_MS)) as simulated:
        yield simulated


@pytest.fixture
def undeliver(
    programs: Programs, home: Path, mailboxes: Microsoft, nameserver: str
) -> Iterator[Installation]:
    settings = {**mailboxes.settings, "CLASSIFIER_NAMESERVERS": f'["{nameserver}"]'}
    with installation(programs, home, write_configuration(home), settings) as installed:
        yield installed


def some_mail(count: int) -> list[Mail]:
    """Every third message is bad, and every fourth has several recipients."""
    return [
        Mail(
            number,
            is_bad=number % 3 == 0,
            to=tuple(PEOPLE[(number + place) % len(PEOPLE)] for place in range(1 + number % 4)),
        )
        for number in range(1, count + 1)
    ]


def kill_again_and_again(
    undeliver: Installation, sender: Exchange, mails: list[Mail], kills: int, chance: random.Random
) -> None:
    """Kill it between reports; some starts are killed before they take any."""
    for number in range(1, kills + 1):
        enough = number * len(mails) // (kills + 1)
        until(lambda: len(sender.accepted) >= enough, "more reports", _PATIENCE_SECONDS)  # noqa: B023
        time.sleep(chance.uniform(0, _LONGEST_PAUSE_SECONDS))
        undeliver.program.kill()
        # What Exchange could not know to be taken, and what it sends again all the same.
        sender.send(chance.sample(mails[:enough], 1))
        undeliver.begin()
        if number % 3 == 0:
            time.sleep(chance.uniform(0, _START_SECONDS))
            undeliver.program.kill()
            undeliver.begin()


def of_type(record: list[Recorded], type_: str) -> list[Recorded]:
    return [each for each in record if each.type == type_]


def is_at_rest(undeliver: Installation, mails: list[Mail]) -> bool:
    """Every report is judged, and every retraction that follows has ended."""
    record = undeliver.recorded()
    judged = of_type(record, "mail.classified.v1")
    wanted = {each.body["retraction_id"] for each in judged} - {None}
    ended = {each.body["retraction_id"] for each in of_type(record, "retraction.finished.v1")}
    return len(judged) >= len(mails) and wanted <= ended


@pytest.mark.parametrize(
    ("kills", "count", "seed"),
    [
        pytest.param(6, 84, 20260105, marks=pytest.mark.timeout(400), id="short"),
        pytest.param(
            40, 600, 20260106, marks=[pytest.mark.long, pytest.mark.timeout(1800)], id="long"
        ),
    ],
)
def test_what_had_its_250_is_judged_once_and_taken_back_once(
    undeliver, mailboxes, kills, count, seed
):
    mails, chance = some_mail(count), random.Random(seed)
    for mail in mails:
        mailboxes.deliver(mail.mime(), mail.sender, mail.to)
    undeliver.start()
    with exchange(undeliver.smtp_port) as sender:
        sender.send(mails)
        kill_again_and_again(undeliver, sender, mails, kills, chance)
        until(lambda: len(sender.accepted) == len(mails) + kills, "all", _PATIENCE_SECONDS)
    undeliver.await_ready()
    until(lambda: is_at_rest(undeliver, mails), "all to be done", _PATIENCE_SECONDS)

    assert sender.losses() == []
    record = undeliver.recorded()
    assert_each_is_judged_once(record, mails)
    assert_each_bad_one_is_taken_back_once(record, mails)
    assert_mailboxes_are_as_they_should_be(mailboxes, mails)
    assert {flag for each in record for flag in each.flags} == set()
    assert list(undeliver.dead_letters()) == []
    assert undeliver.run("audit", "verify", "--json").record["verified"] is True
    assert undeliver.program.terminate().code == 0
    assert processes_about(undeliver.data) == {}


def assert_each_is_judged_once(record: list[Recorded], mails: list[Mail]) -> None:
    expected = Counter(mail.internet_message_id for mail in mails)
    for type_ in ("mail.journaled.v1", "mail.classified.v1"):
        told = of_type(record, type_)
        assert Counter(each.body["internet_message_id"] for each in told) == expected
        assert len({each.body["report_key"] for each in told}) == len(mails)
        assert len({each.message_id for each in told}) == len(mails)


def assert_each_bad_one_is_taken_back_once(record: list[Recorded], mails: list[Mail]) -> None:
    bad = {mail.internet_message_id: mail for mail in mails if mail.is_bad}
    asked = of_type(record, "mail.retract.v1")
    ids = {each.body["retraction_id"]: each.body["internet_message_id"] for each in asked}
    assert sorted(ids.values()) == sorted(bad)
    assert len(asked) == len(bad)

    finished = of_type(record, "retraction.finished.v1")
    assert sorted(each.body["retraction_id"] for each in finished) == sorted(ids)
    assert {each.body["status"] for each in finished} == {"finished"}

    settled = of_type(record, "copy.settled.v1")
    copies = [(ids[each.body["retraction_id"]], each.body["mailbox"]) for each in settled]
    assert sorted(copies) == sorted(
        (key, mailbox) for key, mail in bad.items() for mailbox in mail.to
    )
    assert {each.body["outcome"] for each in settled} <= {"moved", "already_there"}


def assert_mailboxes_are_as_they_should_be(mailboxes: Microsoft, mails: list[Mail]) -> None:
    is_bad = {mail.internet_message_id: mail.is_bad for mail in mails}
    copies = mailboxes.copies()
    assert len(copies) == sum(len(mail.to) for mail in mails)
    for copy in copies:
        is_gone = is_bad[copy["internet_message_id"]]
        assert copy["folder"] == ("recoverableitemsdeletions" if is_gone else "inbox")
        assert len(copy["history"]) == int(is_gone)  # moved once, and not again after a crash
