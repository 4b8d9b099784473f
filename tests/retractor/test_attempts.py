"""How long a piece of work is tried."""

from datetime import timedelta
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from libs.common.errors import PermanentError, TransientError
from services.retractor.domain.retraction import Trials
from services.retractor.workers.attempts import Attempt, PausedError, make
from tests.retractor.rig import TENANT

RETRACTION_ID = UUID("0b6f6f3c-7d0d-4f57-9f6e-0d1c4bb9f001")

BUSY = TransientError("throttled", retry_after_seconds=2.0)
DOWN = TransientError("graph_unavailable")


class Job:
    """A piece of work that fails as a test says."""

    def __init__(self, bench):
        self.bench = bench
        self.trials = Trials()
        self.until = bench.clock.now()
        self.ended = None

    async def fail(self, error):
        async def work():
            raise error

        async def put_off(trials, until):
            self.trials, self.until = trials, until

        async def give_up(reason):
            self.ended = reason

        attempt = Attempt(work, self.trials, put_off, give_up, TENANT, RETRACTION_ID)
        await make(self.bench, attempt)


@pytest.fixture
def job(still):
    return Job(still.bench)


async def test_a_hundred_throttles_are_no_failure(job):
    for _ in range(90):
        with pytest.raises(PausedError):
            await job.fail(BUSY)

    await job.fail(DOWN)

    assert (job.ended, job.trials.failures, job.trials.throttles) == (None, 1, 90)


async def test_but_throttles_without_end_are(job):
    for _ in range(99):
        with pytest.raises(PausedError):
            await job.fail(BUSY)

    await job.fail(BUSY)

    assert job.ended == "throttled_exhausted"


@pytest.mark.parametrize("retry_after_seconds", [None, 1.0])
async def test_work_is_tried_for_half_an_hour(retry_after_seconds, job, clock):
    error = TransientError("graph_unavailable", retry_after_seconds=retry_after_seconds)
    begin, tries = clock.now(), 0
    while job.ended is None:
        await job.fail(error)
        tries += 1
        await clock.advance((job.until - clock.now()).total_seconds())

    assert timedelta(minutes=35) <= clock.now() - begin <= timedelta(minutes=41)
    assert tries <= 60


async def test_what_can_never_succeed_is_given_up_at_once(job):
    await job.fail(PermanentError("out_of_scope"))

    assert job.ended == "out_of_scope"


async def test_a_bug_of_ours_is_retried_and_given_up_like_an_outage(job, clock):
    await job.fail(KeyError("surprise"))
    assert (job.ended, job.trials.failures) == (None, 1)

    while job.ended is None:
        await clock.advance((job.until - clock.now()).total_seconds())
        await job.fail(KeyError("surprise"))

    assert job.ended == "internal_error"


async def test_an_outage_is_said_once_a_minute_not_once_per_copy(job, clock):
    with capture_logs() as logs:
        for _ in range(3):
            await job.fail(DOWN)
        with pytest.raises(PausedError):
            await job.fail(BUSY)
        await clock.advance(61)
        await job.fail(DOWN)

    assert [(one["event"], one["reason"]) for one in logs] == [
        ("attempt_put_off", "graph_unavailable"),
        ("attempt_put_off", "throttled"),
        ("attempt_put_off", "graph_unavailable"),
    ]
    assert {(one["log_level"], one["tenant"]) for one in logs} == {("warning", TENANT)}


async def test_each_piece_of_work_that_is_given_up_is_said(job):
    with capture_logs() as logs:
        for _ in range(2):
            await job.fail(PermanentError("out_of_scope"))

    said = {"retraction_id": str(RETRACTION_ID), "tenant": TENANT, "reason": "out_of_scope"}
    assert logs == [{"event": "attempt_given_up", "log_level": "warning"} | said] * 2
