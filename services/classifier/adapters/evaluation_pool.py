"""`Evaluator` in worker processes that may be killed at any time."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from pydantic import ValidationError

from libs.common.broker.beside import beside
from libs.common.clock import Clock
from libs.common.errors import StartError
from services.classifier import metrics
from services.classifier.adapters.evaluation_frames import (
    ANSWER_HEAD,
    ANSWERS,
    MAX_ANSWER_BYTES,
    REQUEST_HEAD,
    REQUESTS,
    Answer,
    Request,
)
from services.classifier.domain.circumstances import Circumstances
from services.classifier.domain.evaluation import unread
from services.classifier.domain.verdict import Verdict

_MODULE = "services.classifier.adapters.evaluation_process"
#: Nobody's mail.
_FIRST_MESSAGE = b"From: a@undeliver.example\r\nContent-Type: text/html\r\n\r\n<p>first</p>\r\n"
#: After a process that did not come up; doubled each time, so that logs stay readable.
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Limits:
    """What one message may take."""

    wall_seconds: float = 30.0
    cpu_seconds: int = 10
    memory_bytes: int = 2 * 1024**3


class EvaluationPool:
    """See `Evaluator`. At most `workers` messages are in work; more wait for their turn.

    Each process has a keeper, which starts it, lets it judge a first message, and replaces it when
    it ends. Where the system gives no process, messages wait: that is not their fault.
    """

    def __init__(self, workers: int, limits: Limits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._idle: asyncio.Queue[Process] = asyncio.Queue()
        self._warm: set[Process] = set()
        #: One for each keeper: its first attempt is over.
        self._tried = [asyncio.Event() for _ in range(workers)]

    @classmethod
    @asynccontextmanager
    async def open(
        cls, workers: int, limits: Limits, clock: Clock
    ) -> AsyncIterator["EvaluationPool"]:
        """Give a pool whose processes are starting, see `ready`; they end with the context."""
        pool = cls(workers, limits, clock)
        async with beside(*(pool._keep(tried) for tried in pool._tried)):
            yield pool

    async def ready(self) -> None:
        """Wait until every process has judged a first message: a start takes seconds under load.

        Raises:
            StartError: not one of them came up.
        """
        for tried in self._tried:
            await tried.wait()
        if not self._warm:
            raise StartError(
                "no process to judge mail can be started: the machine is out of processes or "
                "memory, or CLASSIFIER_EVALUATION_MEMORY_BYTES is too small"
            )

    async def questions(self, raw: bytes) -> tuple[str, ...]:
        """See `Evaluator.questions`."""
        answer = await self._ask(Request(about=None), raw)
        return answer.questions if isinstance(answer, Answer) else ()

    async def judge(self, raw: bytes, about: Circumstances) -> Verdict:
        """See `Evaluator.judge`."""
        return await self._judge(Request(about=about), raw)

    async def judge_file(self, content: bytes, about: Circumstances) -> Verdict:
        """See `Evaluator.judge_file`."""
        return await self._judge(Request(about=about, is_file=True), content)

    async def _judge(self, request: Request, raw: bytes) -> Verdict:
        started = self._clock.monotonic()
        answer = await self._ask(request, raw)
        metrics.evaluation_duration_seconds.observe(self._clock.monotonic() - started)
        if isinstance(answer, Answer) and answer.verdict is not None:
            return answer.verdict
        failure = answer if isinstance(answer, str) else answer.failure or "failed"
        metrics.evaluation_failures_total.labels(failure).inc()
        place = answer.place if isinstance(answer, Answer) else ""
        _log.error("evaluation_failed", failure=failure, place=place, size_bytes=len(raw))
        return unread(failure)

    async def _ask(self, request: Request, raw: bytes) -> Answer | str:
        """Return the answer; or `timed_out` or `lost`, where the process did not survive."""
        process = await self._idle.get()
        while process.returncode is not None:
            process = await self._idle.get()
        try:
            answer = await self._within_limit(process, request, raw)
        except BaseException:
            # Cancelled in the middle: what it would say next belongs to nobody.
            _kill(process)
            raise
        if isinstance(answer, str):
            _kill(process)
        else:
            self._idle.put_nowait(process)
        return answer

    async def _within_limit(self, process: Process, request: Request, raw: bytes) -> Answer | str:
        overrun = asyncio.Event()

        async def watch() -> None:
            await self._clock.sleep(self._limits.wall_seconds)
            overrun.set()
            _kill(process)

        async with asyncio.TaskGroup() as group:
            watchdog = group.create_task(watch())
            answer = await _converse(process, request, raw)
            watchdog.cancel()
        return answer or ("timed_out" if overrun.is_set() else "lost")

    async def _keep(self, tried: asyncio.Event) -> None:
        """Have one process at work or idle, until cancelled."""
        pause_seconds = FIRST_PAUSE_SECONDS
        while True:
            if await self._has_served(tried):
                pause_seconds = FIRST_PAUSE_SECONDS
                continue
            tried.set()
            _log.error("worker_start_failed", pause_seconds=pause_seconds)
            await self._clock.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)

    async def _has_served(self, tried: asyncio.Event) -> bool:
        """Start a process, offer it and wait for its end; false where it did not come up."""
        try:
            process = await self._start()
        except OSError:
            return False
        try:
            # The first message makes it load what judging takes.
            request = Request(about=Circumstances())
            answer = await self._within_limit(process, request, _FIRST_MESSAGE)
            if isinstance(answer, str) or answer.verdict is None:
                return False
            self._warm.add(process)
            self._idle.put_nowait(process)
            tried.set()
            await process.wait()
            return True
        finally:
            self._warm.discard(process)
            _kill(process)
            await process.wait()

    async def _start(self) -> Process:
        """Start one: with our own import path, and with none of our environment's secrets."""
        limits = str(self._limits.cpu_seconds), str(self._limits.memory_bytes)
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-m", _MODULE, *limits),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,
        )


def _kill(process: Process) -> None:
    if process.returncode is None:
        process.kill()


async def _converse(process: Process, request: Request, raw: bytes) -> Answer | None:
    """Hand over a message and read the answer; null where the process is gone or talks nonsense."""
    if process.stdin is None or process.stdout is None:
        return None
    content = REQUESTS.dump_json(request)
    try:
        process.stdin.write(REQUEST_HEAD.pack(len(content), len(raw)) + content)
        process.stdin.write(raw)
        await process.stdin.drain()
        (size,) = ANSWER_HEAD.unpack(await process.stdout.readexactly(ANSWER_HEAD.size))
        if size > MAX_ANSWER_BYTES:
            return None
        return ANSWERS.validate_json(await process.stdout.readexactly(size))
    except (asyncio.IncompleteReadError, ConnectionError, ValidationError):
        return None
