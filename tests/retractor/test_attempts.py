"""How long a piece of work is tried."""

from datetime import timedelta

import pytest

from libs.common.errors import PermanentError, TransientError
from services.retractor.domain.retraction import Trials
from services.retractor.workers.attempts import Attempt, PausedError, make

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

        await make(self.bench, Attempt(work, self.trials, put_off, give_up))


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
