"""Logs: structlog on stderr. JSON lines in a pod, colours on a terminal, in neither a secret."""

import json
import linecache
import logging
import sys
import threading
import warnings
from contextlib import suppress
from typing import IO, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from libs.common.redaction import describe, redact
from libs.common.visible import escape_json

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
Format = Literal["auto", "json", "console"]


def configure(
    level: Level = "INFO", output: Format = "auto", stream: IO[str] | None = None
) -> None:
    """Set logging up for this process, libraries included; call it again to change it.

    Goes to stderr, so that stdout stays a command's own. `auto`: colours on a terminal, else JSON.
    """
    target = stream or sys.stderr
    console = output == "console" or (output == "auto" and target.isatty())
    structlog.configure(
        processors=[*_shared(), *(_console(target) if console else [_render_json])],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=_Lines(target),
        cache_logger_on_first_use=False,
    )
    _route_libraries()
    _route_what_nobody_caught()


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _describe_exception,
        redact,
    ]


def _console(target: IO[str]) -> list[Processor]:
    return [
        _flatten_exception,
        structlog.dev.ConsoleRenderer(
            colors=target.isatty(), timestamp_key="time", pad_event_to=28, sort_keys=False
        ),
    ]


def _describe_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by types and frames: an exception's text may quote mail."""
    given = event.pop("exc_info", None)
    error = given[1] if isinstance(given, tuple) else given
    if error is True:
        error = sys.exception()
    if isinstance(error, BaseException):
        event["exception"] = describe(error)
    return event


def _flatten_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """On a terminal, the traceback below its line."""
    described = event.pop("exception", None)
    if isinstance(described, list):
        lines = []
        for each in described:
            lines += [f"  {each['type']}: {each['says'] or ''}"]
            lines += [f"    {frame}" for frame in each["frames"]]
        event["exception"] = "\n".join(lines)
    return event


def _render_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    ordered = {name: event.pop(name) for name in ("time", "level", "event") if name in event}
    return escape_json(json.dumps({**ordered, **event}, ensure_ascii=False, default=str))


class _Lines:
    """Writes lines; a log that cannot be written stops no work."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def __call__(self, *_names: object) -> "_Lines":
        return self

    def msg(self, line: str) -> None:
        """Write one line, whole."""
        with self._lock, suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()

    debug = info = warning = error = critical = exception = fatal = log = msg


class _LibraryHandler(logging.Handler):
    """What libraries say, from WARNING up: where they said it, and their words if constant.

    Arguments may be tokens, addresses or mail, and so may a text that was formatted beforehand
    (asyncio's quotes the `repr` of an exception).
    """

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.emit`."""
        log = structlog.get_logger()
        warn = log.error if record.levelno >= logging.ERROR else log.warning
        warn(
            "library_warned",
            logger=record.name,
            said=_constant_words(record),
            at=f"{record.pathname}:{record.lineno}",
            exc_info=record.exc_info,
        )


def _constant_words(record: logging.LogRecord) -> str | None:
    """Return the text of the record, without its arguments, if it stands so in the source."""
    words = str(record.msg).partition("\n")[0]
    source = linecache.getlines(record.pathname)
    return words if words and any(words in line for line in source) else None


def _route_libraries() -> None:
    root = logging.getLogger()
    for handler in [each for each in root.handlers if isinstance(each, _LibraryHandler)]:
        root.removeHandler(handler)
    root.addHandler(_LibraryHandler(logging.WARNING))
    root.setLevel(logging.WARNING)


def _route_what_nobody_caught() -> None:
    """Threads, finalisers and warnings go the same way: by default their text is printed."""
    threading.excepthook = _thread_failed
    sys.unraisablehook = _exception_ignored
    warnings.showwarning = _python_warned


def _thread_failed(arguments: threading.ExceptHookArgs) -> None:
    name = arguments.thread.name if arguments.thread else None
    structlog.get_logger().error("thread_failed", thread=name, exc_info=arguments.exc_value)


def _exception_ignored(arguments: "sys.UnraisableHookArgs") -> None:
    structlog.get_logger().error("exception_ignored", exc_info=arguments.exc_value)


def _python_warned(  # noqa: PLR0917 - the signature of `warnings.showwarning`
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    at = f"{filename}:{lineno}"
    structlog.get_logger().warning("python_warned", category=category.__name__, at=at)
