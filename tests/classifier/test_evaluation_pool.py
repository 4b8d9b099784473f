"""Worker processes: killed, starved or cancelled, there is a verdict and the next one works."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from libs.common.clock import SystemClock
from libs.common.errors import StartError
from services.classifier.adapters.evaluation_pool import (
    FIRST_PAUSE_SECONDS,
    EvaluationPool,
    Limits,
)
from services.classifier.domain.circumstances import Circumstances
from tests.classifier.letters import OURS, letter, report
from tests.fakes.evaluator import FakeEvaluator

MIB = 1024 * 1024


@pytest_asyncio.fixture
async def pool():
    async with EvaluationPool.open(1, Limits(), SystemClock()) as pool:
        yield pool


async def test_a_worker_judges_as_this_process_would(pool):
    raw = letter(sender="Daniel Fischer <x@freemail.example>", attachments=(("a.exe", b"x"),))
    here = FakeEvaluator()

    assert await pool.judge(raw, OURS) == await here.judge(raw, OURS)
    assert await pool.questions(raw) == await here.questions(raw)
    assert (await pool.judge_file(report(raw), OURS)).disposition == "malicious"


async def test_what_is_known_about_a_message_reaches_the_worker(pool):
    about = Circumstances(blocked_senders=("fabrikam.example",))

    assert (await pool.judge(letter(), about)).disposition == "malicious"


async def test_a_worker_that_dies_leaves_a_suspicious_message_and_a_successor(pool):
    await pool.ready()
    (process,) = pool._warm
    judging = asyncio.ensure_future(pool.judge(_slow(), Circumstances()))
    await _until(pool._idle.empty)
    os.kill(process.pid, signal.SIGKILL)

    lost = await judging

    assert (lost.disposition, lost.retractable) == ("suspicious", False)
    assert "lost" in lost.reasons[0].detail
    assert (await pool.judge(letter(), OURS)).disposition == "none"


async def test_a_message_that_takes_too_long_is_given_up(clock):
    async with EvaluationPool.open(1, Limits(wall_seconds=5), clock) as pool:
        await pool.ready()
        judging = asyncio.ensure_future(pool.judge(_slow(), Circumstances()))
        await _until(lambda: clock.sleepers)
        await clock.advance(5)

        verdict = await judging

        assert (verdict.disposition, verdict.retractable) == ("suspicious", False)
        assert "timed_out" in verdict.reasons[0].detail
        assert (await pool.judge(letter(), OURS)).disposition == "none"


async def test_a_message_that_takes_too_much_memory_is_given_up():
    async with EvaluationPool.open(1, Limits(memory_bytes=300 * MIB), SystemClock()) as pool:
        verdict = await pool.judge(letter() + b"x" * 250 * MIB, OURS)

        assert (verdict.disposition, verdict.retractable) == ("suspicious", False)
        assert (await pool.judge(letter(), OURS)).disposition == "none"


async def test_cancelling_in_the_middle_mixes_no_answers_up(pool):
    judging = asyncio.ensure_future(pool.judge(_slow(), Circumstances()))
    await pool.ready()
    await _until(pool._idle.empty)
    judging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await judging

    blocked = Circumstances(blocked_senders=("fabrikam.example",))
    assert (await pool.judge(letter(), blocked)).disposition == "malicious"


async def test_no_process_survives_the_pool():
    async with EvaluationPool.open(2, Limits(), SystemClock()) as pool:
        await asyncio.gather(*(pool.judge(letter(), OURS) for _ in range(6)))
        await pool.ready()
        processes = set(pool._warm)

    assert len(processes) == 2
    assert all(process.returncode is not None for process in processes)


async def test_every_process_is_there_before_the_first_message():
    async with EvaluationPool.open(2, Limits(), SystemClock()) as pool:
        await pool.ready()

        assert (len(pool._warm), pool._idle.qsize()) == (2, 2)


async def test_a_process_that_dies_idle_is_replaced_before_anybody_asks(pool):
    await pool.ready()
    (lost,) = pool._warm
    os.kill(lost.pid, signal.SIGKILL)
    await _until(lambda: pool._warm and lost not in pool._warm)

    assert (await pool.judge(letter(), OURS)).disposition == "none"


async def test_a_machine_that_gives_no_process_says_so_and_is_asked_again_ever_less_often(clock):
    async with EvaluationPool.open(1, Limits(memory_bytes=MIB), clock) as pool:
        with capture_logs() as events, pytest.raises(StartError, match="no process to judge"):
            await pool.ready()
        judging = asyncio.ensure_future(pool.judge(letter(), OURS))
        await _until(lambda: clock.sleepers)
        pool._limits = Limits()
        await clock.advance(FIRST_PAUSE_SECONDS)

        assert (await judging).disposition == "none"
    assert [event["event"] for event in events] == ["worker_start_failed"]


async def test_a_process_knows_none_of_our_secrets(monkeypatch):
    monkeypatch.setenv("CLASSIFIER_POSTGRES_DSN", "postgresql://u:hush@h/d")
    async with EvaluationPool.open(1, Limits(), SystemClock()) as pool:
        await pool.ready()
        (process,) = pool._warm
        environment = _environment(process.pid)

    assert b"PYTHONPATH" in environment
    assert b"hush" not in environment


def _environment(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


async def _until(condition) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for is a process of the system
            await asyncio.sleep(0)


def _slow() -> bytes:
    """A message that keeps a worker busy for a second or two."""
    return letter() + b"a line of text\r\n" * 5_000_000
