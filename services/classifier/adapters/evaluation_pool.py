"""`Evaluator` in worker processes that may be killed at any time."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from pydantic import ValidationError

from libs.common.clock import Clock
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
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Limits:
    """What one message may take."""

    wall_seconds: float = 30.0
    cpu_seconds: int = 10
    memory_bytes: int = 2 * 1024**3


class EvaluationPool:
    """See `Evaluator`. At most `workers` messages are in work; more wait for their turn."""

    def __init__(self, workers: int, limits: Limits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        #: Null stands for a process that has not been started yet, or that was lost.
        self._idle: asyncio.Queue[Process | None] = asyncio.Queue()
        for _ in range(workers):
            self._idle.put_nowait(None)
        self._running: set[Process] = set()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, workers: int, limits: Limits, clock: Clock
    ) -> AsyncIterator["EvaluationPool"]:
        """Give a pool; its processes end with the context."""
        pool = cls(workers, limits, clock)
        try:
            yield pool
        finally:
            await pool._close()

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
        try:
            if process is None or process.returncode is not None:
                process = await self._start()
            answer = await self._within_limit(process, request, raw)
        except BaseException:
            # Cancelled in the middle: what it would say next belongs to nobody.
            await self._end(process)
            self._idle.put_nowait(None)
            raise
        if isinstance(answer, str):
            await self._end(process)
            process = None
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

    async def _start(self) -> Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            _MODULE,
            str(self._limits.cpu_seconds),
            str(self._limits.memory_bytes),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
        )
        self._running.add(process)
        return process

    async def _end(self, process: Process | None) -> None:
        if process is not None:
            _kill(process)
            await process.wait()
            self._running.discard(process)

    async def _close(self) -> None:
        for process in list(self._running):
            await self._end(process)


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
