"""The database goes away while `undeliver up` runs: senders come again, and nothing is lost."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.e2e.exchange import exchange
from tests.e2e.installation import Installation, installation
from tests.e2e.mail import Mail
from tests.e2e.microsoft import Microsoft, microsoft
from tests.e2e.programs import Programs, processes_about
from tests.e2e.tenant import write_configuration, write_seed
from tests.e2e.waiting import until

pytestmark = pytest.mark.timeout(300)

#: A sender waits ten minutes (RFC 5321 §4.5.3.2.6); this is well below, even on a busy machine.
_REPLY_SECONDS = 60.0


@pytest.fixture(scope="module")
def home(place: Path) -> Path:
    folder = place / "database-gone"
    folder.mkdir(mode=0o711)
    return folder


@pytest.fixture(scope="module")
def mailboxes(programs: Programs, home: Path) -> Iterator[Microsoft]:
    with microsoft(programs, home, write_seed(home)) as simulated:
        yield simulated


@pytest.fixture(scope="module")
def undeliver(
    programs: Programs, home: Path, mailboxes: Microsoft, nameserver: str
) -> Iterator[Installation]:
    settings = {**mailboxes.settings, "CLASSIFIER_NAMESERVERS": f'["{nameserver}"]'}
    with installation(programs, home, write_configuration(home), settings) as installed:
        installed.start()
        yield installed


def deliver(mailboxes: Microsoft, first: int) -> list[Mail]:
    """Put a few messages into mailboxes, every second one bad."""
    mails = [Mail(number, is_bad=number % 2 == 0) for number in range(first, first + 6)]
    for mail in mails:
        mailboxes.deliver(mail.mime(), mail.sender, mail.to)
    return mails


def database_processes(undeliver: Installation) -> list[int]:
    """Return the leading process of Postgres and all that work for it."""
    cluster = undeliver.data / "postgres" / "cluster"
    return [pid for pid in processes_about(cluster) if pid != undeliver.program.pid]


@contextmanager
def frozen(pids: list[int]) -> Iterator[None]:
    """Let processes stand still, as on a machine whose disk has gone."""
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def is_ready(undeliver: Installation) -> bool:
    """Ask the readiness probe; no answer is an answer, too."""
    try:
        return undeliver.get("/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def assert_all_is_done(undeliver: Installation, mailboxes: Microsoft, mails: list[Mail]) -> None:
    """Every message is judged once, and the bad ones are gone."""
    ids = sorted(mail.internet_message_id for mail in mails)

    def judged() -> list[str]:
        record = undeliver.recorded("mail.classified.v1")
        found = sorted(each.body["internet_message_id"] for each in record)
        return [each for each in found if each in ids]

    until(lambda: len(judged()) >= len(ids), "every message to be judged")
    assert judged() == ids
    for mail in mails:
        folder = "recoverableitemsdeletions" if mail.is_bad else "inbox"
        until(
            lambda: set(mailboxes.folders(mail.internet_message_id).values()) == {folder},  # noqa: B023
            f"{mail.internet_message_id} in {folder}",
        )
    assert undeliver.run("audit", "verify").code == 0
    assert list(undeliver.dead_letters()) == []


def test_a_database_that_dies_is_started_again_and_loses_nothing(undeliver, mailboxes):
    mails, pid = deliver(mailboxes, 1), undeliver.postgres_pid()
    with exchange(undeliver.smtp_port) as sender:
        sender.send(mails[:3])
        until(lambda: sender.accepted, "a first report to be accepted")
        os.kill(pid, signal.SIGKILL)
        sender.send(mails[3:])
        until(lambda: len(sender.accepted) == len(mails), "every report to be accepted")

        assert {code for code in sender.refused if code is not None} <= {451}
    assert_all_is_done(undeliver, mailboxes, mails)
    assert undeliver.program.code is None
    assert undeliver.postgres_pid() != pid
    until(lambda: is_ready(undeliver), "it to be ready again")


def test_a_database_that_stands_still_makes_senders_come_again_and_not_wait(undeliver, mailboxes):
    mails = deliver(mailboxes, 101)
    with exchange(undeliver.smtp_port) as sender:
        with frozen(database_processes(undeliver)):
            sender.send(mails)
            assert not is_ready(undeliver)
            assert undeliver.get("/healthz").status_code == 200
            until(lambda: sender.refused, "a reply to the sender", _REPLY_SECONDS)
            assert sender.accepted == []
        until(lambda: len(sender.accepted) == len(mails), "every report to be accepted")
        assert set(sender.refused) == {451}
    assert_all_is_done(undeliver, mailboxes, mails)
    until(lambda: is_ready(undeliver), "it to be ready again")


def test_it_still_ends_well_after_all_that(undeliver):
    assert undeliver.program.terminate().code == 0
    assert processes_about(undeliver.data) == {}
