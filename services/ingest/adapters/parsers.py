"""Parsing beside the event loop, in processes of their own.

All mail, however small: a warm process costs the loop less than parsing would (measured, 5 kB:
0.13 ms of CPU against 0.28 ms; 250 kB: 0.4 ms against 1.6 ms) and the message 0.2 to 1 ms more.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Literal

import structlog

from libs.common.clock import Clock
from libs.common.errors import TransientError
from libs.common.journaling.mail import ParsedMail
from libs.common.journaling.parsing import unparsed
from services.ingest import metrics
from services.ingest.adapters.parse_frames import READY, Request, read_answer, send_request

_PROGRAM = "services.ingest.adapters.parse_process"
Failure = Literal["raised", "timeout", "crashed"]

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """What parsing may cost."""

    processes: int
    #: Of one message.
    time_limit_seconds: float
    #: Of one process.
    memory_limit_bytes: int
    #: A process is replaced after so many, so that nothing builds up in it.
    mails_per_process: int = 1000


@asynccontextmanager
async def open_parsers(limits: ParseLimits, clock: Clock) -> AsyncIterator["Parsers"]:
    """Open the parser with one process warm; the others start when they are needed.

    Raises:
        TransientError: `parser_unavailable`.
    """
    parsers = Parsers(limits, clock)
    try:
        await parsers.warm_up()
        yield parsers
    finally:
        await parsers.close()


class Parsers:
    """See `Parser`."""

    def __init__(self, limits: ParseLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._turns = asyncio.Semaphore(limits.processes)
        self._idle: list[_Process] = []

    async def parse(self, raw: bytes, domains: frozenset[str]) -> ParsedMail:
        """See `Parser.parse`."""
        started = self._clock.monotonic()
        parsed = await self._parsed(Request(raw, domains))
        metrics.PARSE_SECONDS.observe(self._clock.monotonic() - started)
        if isinstance(parsed, ParsedMail):
            return parsed
        metrics.PARSE_FAILURES.labels(parsed).inc()
        _log.error("mail_not_parsed", reason=parsed, size_bytes=len(raw))
        return await asyncio.to_thread(unparsed, raw)

    async def warm_up(self) -> None:
        """Have one process ready before the first mail."""
        self._rest(await _Process.start(self._limits.memory_limit_bytes))

    async def close(self) -> None:
        """End the processes."""
        while self._idle:
            await self._idle.pop().end()

    async def _parsed(self, request: Request) -> ParsedMail | Failure:
        async with self._turns:
            process = await self._process()
            answer = await self._answered(process, request)
            if answer == "crashed" and process.has_rested:
                # It may have been dead before this message came.
                answer = await self._answered(await self._process(), request)
        return answer

    async def _answered(self, process: "_Process", request: Request) -> ParsedMail | Failure:
        """Return the answer; the process is idle again, or ended where it cannot be trusted."""
        is_reusable = False
        try:
            answer = await self._asked(process, request)
            is_worn = process.served >= self._limits.mails_per_process
            is_reusable = isinstance(answer, ParsedMail) and not is_worn
        finally:
            if is_reusable:
                self._rest(process)
            else:
                await process.end()
        return answer

    def _rest(self, process: "_Process") -> None:
        process.has_rested = True
        self._idle.append(process)

    async def _process(self) -> "_Process":
        while self._idle:
            process = self._idle.pop()
            if process.is_alive:
                return process
            await process.end()
        return await _Process.start(self._limits.memory_limit_bytes)

    async def _asked(self, process: "_Process", request: Request) -> ParsedMail | Failure:
        """Return the answer, but kill a process that takes too long."""
        too_late = False

        async def watch() -> None:
            nonlocal too_late
            await self._clock.sleep(self._limits.time_limit_seconds)
            too_late = True
            process.kill()

        async with asyncio.TaskGroup() as tasks:
            watchdog = tasks.create_task(watch())
            answer = await process.ask(request)
            watchdog.cancel()
        return "timeout" if too_late else answer


class _Process:
    """One parse process, which does one message at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.served = 0
        #: It was idle, so it may have died unseen.
        self.has_rested = False

    @classmethod
    async def start(cls, memory_limit_bytes: int) -> "_Process":
        """Start one: with our own import path, and with none of our environment's secrets.

        Raises:
            TransientError: `parser_unavailable`.
        """
        try:
            process = cls(
                await asyncio.create_subprocess_exec(
                    sys.executable,
                    *("-P", "-m", _PROGRAM, str(memory_limit_bytes)),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.DEVNULL,
                    env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                    start_new_session=True,
                )
            )
        except OSError as error:
            raise TransientError("parser_unavailable", type(error).__name__) from error
        try:
            is_ready = await process.is_ready()
        except BaseException:
            await process.end()
            raise
        if not is_ready:
            await process.end()
            raise TransientError("parser_unavailable", "the process ended at once")
        return process

    async def is_ready(self) -> bool:
        """Wait until it takes requests; False where it ended instead."""
        assert self._process.stdout is not None  # noqa: S101 - asked for when it was started
        return await self._process.stdout.read(len(READY)) == READY

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended, as far as is known."""
        return self._process.returncode is None

    async def ask(self, request: Request) -> ParsedMail | Failure:
        """Let it parse one message."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None  # noqa: S101, PT018 - as above
        self.served += 1
        try:
            await send_request(stdin, request)
            parsed = await read_answer(stdout)
        except (OSError, asyncio.IncompleteReadError):
            return "crashed"
        return "raised" if parsed is None else parsed

    def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def end(self) -> None:
        """Kill it and wait: it holds nothing that could be lost."""
        self.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()
