"""`kill -9` in the middle of a stream of mail, again and again: nothing is lost, or done twice."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.balance import (
    assert_each_bad_one_is_taken_back_once,
    assert_each_is_judged_once,
    assert_mailboxes_are_as_they_should_be,
    is_at_rest,
    some_mail,
)
from tests.e2e.exchange import Exchange, exchange
from tests.e2e.installation import Installation, installation
from tests.e2e.mail import Mail
from tests.e2e.microsoft import Microsoft, microsoft
from tests.e2e.programs import Programs, processes_about
from tests.e2e.tenant import write_configuration, write_seed
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
    mails, chance = some_mail(1, count), random.Random(seed)
    for mail in mails:
        mailboxes.deliver(mail.mime(), mail.sender, mail.to)
    undeliver.start()
    with exchange(undeliver.smtp_port) as sender:
        sender.send(mails)
        kill_again_and_again(undeliver, sender, mails, kills, chance)
        until(lambda: len(sender.accepted) == len(mails) + kills, "all", _PATIENCE_SECONDS)
    undeliver.await_ready()
    until(lambda: is_at_rest(undeliver.recorded(), mails), "all to be done", _PATIENCE_SECONDS)

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
