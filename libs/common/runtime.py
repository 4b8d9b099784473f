"""The life of a process: run until told to stop, stop cleanly, say why it failed, in one place."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any

import structlog

from libs.common import logs
from libs.common.errors import ConfigurationError, StartError, UndeliverError
from libs.common.visible import visible

#: Kubernetes kills 30 seconds after SIGTERM unless told otherwise.
GRACE_SECONDS = 25.0

Main = Callable[[], Coroutine[Any, Any, int | None]]

#: Reasons that a process meets at its start, for whoever starts it.
_SENTENCES = {
    "blob_store_full": "the blob store is full: make room, and start again",
    "blob_store_unavailable": "the blob store does not work: see that its folder is there",
    "broker_unreachable": "the message queue does not answer: see that it runs, and its address",
    "database_conflict": "the database is busy with another start: start again",
    "database_not_provisioned": "the database is not ready: see `undeliver database provision`",
    "database_unreachable": "the database does not answer: see that it runs, and its address",
    "parser_unavailable": "no process can be started that parses mail: see the log",
}

_log = structlog.get_logger()


def run(main: Main, *, grace_seconds: float = GRACE_SECONDS) -> int:
    """Run a service until SIGTERM or SIGINT; then it is cancelled. Return the exit code.

    A stop that was asked for is a success. If cancelling takes longer than the grace period, or a
    second signal comes, the process ends at once.
    """
    return _run(main, grace_seconds, stopped_is_success=True)


def run_command(main: Main, *, grace_seconds: float = 5.0) -> int:
    """Run a person's command to its end, and return its exit code (None is 0).

    Stopped before its end, it exits as shells expect: 130 for Ctrl-C, 143 for SIGTERM.
    """
    return _run(main, grace_seconds, stopped_is_success=False)


async def run_together(loops: Mapping[str, Callable[[], Awaitable[None]]]) -> None:
    """Run several loops at once, each in a task of its name, until all have ended.

    The first that fails cancels the others; then it raises an `ExceptionGroup`, as a task group.
    """
    running: list[asyncio.Task[None]] = []
    failures: list[Exception] = []

    async def call(loop: Callable[[], Awaitable[None]]) -> None:
        try:
            await loop()
        except Exception as error:  # noqa: BLE001 - raised below
            # Not by the group: before Python 3.13, it would leave its own task looking cancelled.
            failures.append(error)
            for task in running:
                task.cancel()

    try:
        async with asyncio.TaskGroup() as group:
            for name, loop in loops.items():
                running.append(group.create_task(call(loop), name=name))
    finally:
        if failures:
            raise ExceptionGroup("loops that failed", failures)


def exit_code(error: BaseException) -> int:
    """Say on stderr why this process ends, without mail content, and return its exit code.

    2 for the operator's mistakes, else 1: one sentence for what is known, a log event for bugs.
    """
    found = list(leaves(error))
    if mistakes := [each for each in found if isinstance(each, ConfigurationError)]:
        _say(mistakes, prefix="")  # `file:line: …`, as editors jump to
        return 2
    if known := [each for each in found if isinstance(each, StartError)]:
        _say(known)
        return 1
    if found and all(isinstance(each, UndeliverError) for each in found):
        _say([_sentence(each) for each in found if isinstance(each, UndeliverError)])
        return 1
    _log.error("process_failed", exc_info=error)
    return 1


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Return what really failed: a group's members, and theirs."""
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from leaves(member)
    else:
        yield error


def has_lost_its_reader(error: BaseException) -> bool:
    """Return whether nothing failed but writing to somebody who reads no more (`| head`)."""
    return all(isinstance(each, BrokenPipeError) for each in leaves(error))


def end_quietly() -> int:
    """Let nothing complain at exit about a reader who is gone; return the exit code of success."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _run(main: Main, grace_seconds: float, *, stopped_is_success: bool) -> int:
    if not structlog.is_configured():
        logs.configure()  # unconfigured, structlog writes to stdout
    stop = _Stop(grace_seconds)
    try:
        with asyncio.Runner() as runner:
            code = runner.run(_until_stopped(main, stop))
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - a process's last resort
        if not has_lost_its_reader(error):
            return exit_code(error)
        quiet = end_quietly()  # a service, too: its exit code is not to become the interpreter's
        # But a service writes for nobody: what broke is a pipe of its own.
        return exit_code(error) if stopped_is_success else quiet
    finally:
        stop.disarm()
    if stop.received is None or (code is None and stopped_is_success):
        return code or 0
    return 128 + stop.received if code is None else code


async def _until_stopped(main: Main, stop: "_Stop") -> int | None:
    """Return the code of `main`, None if a signal ended it first."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine that runs has a task
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.on_signal, number, task)
    try:
        return (await main()) or 0
    except asyncio.CancelledError:
        if stop.received is None:
            raise
        return None
    except (UndeliverError, ExceptionGroup) as error:
        if stop.received is None or not all(isinstance(e, UndeliverError) for e in leaves(error)):
            raise
        # Something was away that the clean-up would have talked to: what matters is settled anew.
        _log.warning("stop_disturbed", reasons=sorted({str(each) for each in leaves(error)}))
        return None
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


class _Stop:
    """What signals do: the first cancels, the second or the end of the grace period kills."""

    def __init__(self, grace_seconds: float) -> None:
        self.received: int | None = None
        self._grace_seconds = grace_seconds
        # A thread: it also ends a process whose loop is stuck, or whose threads do not return.
        self._timer = threading.Timer(grace_seconds, self._overrun)
        self._timer.daemon = True

    def on_signal(self, number: int, task: "asyncio.Task[Any]") -> None:
        """Cancel the task; the second time, end here."""
        if self.received is not None:
            _log.warning("process_ended_at_once", signal=signal.Signals(number).name)
            os._exit(128 + number)
        self.received = number
        _log.info("stop_requested", signal=signal.Signals(number).name)
        self._timer.start()
        task.cancel()

    def disarm(self) -> None:
        """Everything has ended in time."""
        self._timer.cancel()

    def _overrun(self) -> None:
        _log.error("stop_overran", grace_seconds=self._grace_seconds)
        os._exit(1)


def _sentence(error: UndeliverError) -> str:
    """Return what a reason means to the operator, with the code to search for."""
    known = _SENTENCES.get(error.reason, "what was asked for cannot be done")
    return f"{known} ({error})"


def _say(errors: Sequence[BaseException | str], prefix: str = "undeliver: ") -> None:
    """Write each one's own words once, line by line: a configuration may have many mistakes."""
    for text in dict.fromkeys(str(each) for each in errors):
        for line in text.splitlines():
            sys.stderr.write(f"{prefix}{visible(line)}\n")
