"""Parsing in processes: a message may take one down, and nothing else."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from libs.common.clock import SystemClock
from libs.common.errors import TransientError
from services.ingest.adapters import parsers as adapter
from services.ingest.adapters.parsers import ParseLimits, open_parsers
from tests.contracts.parser import COPY, DOMAINS, ParserContract
from tests.fakes.parser import FakeParser

LIMITS = ParseLimits(processes=2, time_limit_seconds=30.0, memory_limit_bytes=2**30)


class TestFakeParser(ParserContract):
    @pytest.fixture
    def parser(self):
        return FakeParser(gives_up_on=b"cannot-be-parsed")


@pytest.fixture
def failing_program(monkeypatch):
    monkeypatch.setattr(adapter, "_PROGRAM", "tests.ingest.failing_parse_process")


@pytest_asyncio.fixture
async def parser(failing_program, clock):
    async with open_parsers(LIMITS, clock) as parser:
        yield parser


class TestParsers(ParserContract):
    @pytest.fixture
    def parser(self, parser):
        return parser


def mail(subject: bytes) -> bytes:
    return b"From: a@x.example\r\nSubject: " + subject + b"\r\n\r\nhello\r\n"


def running(parser) -> list[int]:
    return [process._process.pid for process in parser._idle]


@pytest.mark.parametrize(
    ("subject", "reason"),
    [(b"please-raise", "raised"), (b"please-eat", "raised"), (b"please-die", "crashed")],
)
async def test_a_failure_is_flagged_and_said_without_quoting_mail(parser, subject, reason):
    with capture_logs() as logs:
        parsed = await parser.parse(mail(subject), DOMAINS)

    assert parsed.flags == ("parse-failed",)
    (event,) = [log for log in logs if log["event"] == "mail_not_parsed"]
    assert event["reason"] == reason
    assert "quoted" not in str(logs)


async def test_a_message_that_takes_too_long_is_given_up(parser, clock):
    with capture_logs() as logs:
        parsing = asyncio.ensure_future(parser.parse(mail(b"please-hang"), DOMAINS))
        while clock.sleepers == 0:  # noqa: ASYNC110 - the clock has no event for it
            await asyncio.sleep(0)
        await clock.advance(LIMITS.time_limit_seconds)
        parsed = await parsing

    assert parsed.flags == ("parse-failed",)
    assert logs[-1]["reason"] == "timeout"


async def test_a_process_that_died_while_idle_costs_no_message(parser):
    (pid,) = running(parser)
    os.kill(pid, signal.SIGKILL)

    assert (await parser.parse(COPY, DOMAINS)).kind == "copy"


async def test_a_process_is_used_again_until_it_is_worn(failing_program, clock):
    limits = ParseLimits(1, 30.0, 2**30, mails_per_process=3)
    async with open_parsers(limits, clock) as parser:
        pids = []
        for _ in range(4):
            await parser.parse(COPY, DOMAINS)
            pids.append(running(parser))

    assert pids[0] == pids[1] != pids[3]
    assert pids[2] == []


async def test_giving_up_waiting_leaves_no_process_behind(parser):
    parsing = asyncio.ensure_future(parser.parse(mail(b"please-hang"), DOMAINS))
    (pid,) = running(parser)
    while running(parser):  # noqa: ASYNC110 - as above
        await asyncio.sleep(0)
    parsing.cancel()
    await asyncio.gather(parsing, return_exceptions=True)

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_processes_know_no_secrets_of_ours(parser, monkeypatch):
    (pid,) = running(parser)
    environment = await asyncio.to_thread(Path(f"/proc/{pid}/environ").read_bytes)
    names = [entry.partition(b"=")[0] for entry in environment.split(b"\0") if entry]

    assert names == [b"PYTHONPATH"]


async def test_processes_end_with_the_parser():
    async with open_parsers(LIMITS, SystemClock()) as parser:
        (pid,) = running(parser)

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_without_a_process_nothing_is_taken(monkeypatch):
    monkeypatch.setattr(adapter, "_PROGRAM", "services.ingest.no_such_program")

    with pytest.raises(TransientError) as raised:
        async with open_parsers(LIMITS, SystemClock()):
            pass

    assert raised.value.reason == "parser_unavailable"
