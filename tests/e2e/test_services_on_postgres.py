"""Four processes whose queue is in Postgres: the smallest deployment beyond one process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.background import Background
from tests.e2e.balance import (
    assert_each_bad_one_is_taken_back_once,
    assert_each_is_judged_once,
    assert_mailboxes_are_as_they_should_be,
    count,
    is_at_rest,
    some_mail,
)
from tests.e2e.deployment import Deployment, deployment
from tests.e2e.exchange import exchange
from tests.e2e.microsoft import Microsoft, microsoft
from tests.e2e.programs import Programs, processes_about
from tests.e2e.servers import OwnPostgres
from tests.e2e.site import on_postgres
from tests.e2e.tenant import write_configuration, write_seed
from tests.e2e.waiting import until

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def home(place: Path) -> Path:
    folder = place / "services-on-postgres"
    folder.mkdir(mode=0o711)
    return folder


@pytest.fixture(scope="module")
def mailboxes(programs: Programs, home: Path) -> Iterator[Microsoft]:
    with microsoft(programs, home, write_seed(home)) as simulated:
        yield simulated


@pytest.fixture(scope="module")
def undeliver(
    programs: Programs,
    home: Path,
    mailboxes: Microsoft,
    nameserver: str,
    beside: Background,
    postgres: OwnPostgres,
) -> Iterator[Deployment]:
    settings = {**mailboxes.settings, "CLASSIFIER_NAMESERVERS": f'["{nameserver}"]'}
    with (
        beside.holding(on_postgres(postgres, home)) as site,
        deployment(programs, site, write_configuration(home), settings) as deployed,
    ):
        deployed.start()
        yield deployed


def test_mail_is_judged_taken_back_and_recorded(undeliver, mailboxes, home):
    mails = some_mail(1, 12)
    for mail in mails:
        mailboxes.deliver(mail.mime(), mail.sender, mail.to)
    with exchange(*undeliver.smtp_ports) as sender:
        sender.send(mails)
        until(lambda: is_at_rest(undeliver.recorded(), mails), "all to be done")

    record = undeliver.recorded()
    count(mails, sender.accepted, record, mailboxes).assert_equal()
    assert_each_is_judged_once(record, mails)
    assert_each_bad_one_is_taken_back_once(record, mails)
    assert_mailboxes_are_as_they_should_be(mailboxes, mails)
    assert list(undeliver.dead_letters()) == []
    assert undeliver.run("audit", "verify", "--json").record["verified"] is True


def test_told_to_stop_all_end_well_and_leave_no_process(undeliver, home):
    assert [ended.code for ended in undeliver.end()] == [0, 0, 0, 0]
    assert processes_about(home / "undeliver.yaml") == {}
