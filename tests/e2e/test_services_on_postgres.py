"""Four processes whose queue is in Postgres: the smallest deployment beyond one process."""

from collections.abc import Iterator

import pytest

from tests.e2e.balance import some_mail
from tests.e2e.exchange import exchange
from tests.e2e.programs import processes_about
from tests.e2e.scene import Ground, Scene, scene

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def stage(ground: Ground) -> Iterator[Scene]:
    with scene(ground, "services-on-postgres", rabbitmq=None) as set_up:
        set_up.start()
        yield set_up


def test_mail_is_judged_taken_back_and_recorded(stage, tell):
    mails = some_mail(1, 12)
    stage.deliver(mails)

    with exchange(*stage.undeliver.smtp_ports) as sender:
        sender.send(mails)
        tell(stage.balance(mails, sender))


def test_told_to_stop_all_end_well_and_leave_no_process(stage):
    assert [ended.code for ended in stage.undeliver.end()] == [0, 0, 0, 0]
    assert processes_about(stage.site.configuration) == {}
