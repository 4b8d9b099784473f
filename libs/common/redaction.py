"""What may stand in a log line: identifiers and numbers, no secrets, no mail content.

The last word before a line is written. Callers still log identifiers only (docs: how our code
reads, §8); this catches the slip.
"""

import re
import traceback
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from enum import Enum
from itertools import islice
from pathlib import PurePath
from typing import Any
from uuid import UUID

from structlog.typing import EventDict, WrappedLogger

from libs.common.errors import ConfigurationError, StartError, UndeliverError
from libs.common.visible import bounded, visible

REDACTED = "[redacted]"

MAX_VALUE_CHARACTERS = 1000
_MAX_ELEMENTS = 50
_MAX_DEPTH = 4
_MAX_EXCEPTIONS = 8
_MAX_FRAMES = 20

#: A key with one of these words holds a secret or what somebody wrote in a mail.
_WORDS = frozenset(
    {
        *("assertion", "authorization", "body", "cookie", "credential", "credentials", "dsn"),
        *("passphrase", "passwd", "password", "preview", "pwd", "secret", "secrets", "subject"),
        *("token", "tokens"),
    }
)
_PHRASES = ("display_name", "api_key", "private_key", "connection_string")
_WHOLE = frozenset({"content", "headers", "html", "raw", "text"})
_KEY_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")

_URL_PASSWORD = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,20}://[^\s:/@]{0,200}):[^\s@]{1,500}@")
_ASSIGNED_SECRET = re.compile(
    r"(?i)(password|passwd|pwd|secret|token|api_?key|sig)"
    r"(\s*[=:]\s*)[^\s&;,]+"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic|digest)\s+[A-Za-z0-9._~+/=-]{8,}")
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,4}")

#: Exceptions whose text names code or the system, never what was worked on.
_PLAIN_SPOKEN = (UndeliverError, ConfigurationError, StartError, ImportError, NameError)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Structlog processor: every value is safe to write and to show."""
    return {visible(str(key)): _field(str(key), value, 0) for key, value in event.items()}


def scrub(text: str) -> str:
    """Return the text without passwords in URLs, bearer tokens and the like; escaped, bounded."""
    text = text[: 4 * MAX_VALUE_CHARACTERS]
    text = _URL_PASSWORD.sub(rf"\1:{REDACTED}@", text)
    text = _BEARER.sub(rf"\1 {REDACTED}", text)
    text = _ASSIGNED_SECRET.sub(rf"\1\2{REDACTED}", text)
    return bounded(visible(_JWT.sub(REDACTED, text)), MAX_VALUE_CHARACTERS)


def describe(error: BaseException) -> list[dict[str, Any]]:
    """Return an exception, its causes and its group's members: types and frames.

    A text is kept only where it cannot quote mail: of our own errors, and the system's error names.
    """
    return [
        _exception(each) for _, each in zip(range(_MAX_EXCEPTIONS), _chain(error), strict=False)
    ]


def says(error: BaseException) -> str | None:
    """Return what an exception says if that cannot quote mail, else None."""
    if isinstance(error, _PLAIN_SPOKEN):
        return scrub(str(error))
    if isinstance(error, OSError):
        return scrub(error.strerror or "")
    return None


def _field(key: str, value: object, depth: int) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if _is_secret(key):
        return REDACTED
    return _value(value, depth)


def _value(value: object, depth: int) -> object:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str | bytes | bytearray):
        return scrub(value) if isinstance(value, str) else f"<{len(value)} bytes>"
    if isinstance(value, Mapping | Sequence | AbstractSet):
        return _container(value, depth) if depth < _MAX_DEPTH else "<deeper>"
    return _scalar(value)


def _scalar(value: object) -> object:
    match value:
        case None | bool() | int() | float():
            return value
        case datetime():
            return value.isoformat()
        case UUID() | PurePath():
            return scrub(str(value))
        case BaseException():
            return {"type": type(value).__name__, "says": says(value)}
        case _:
            # Secrets hide themselves, but whole objects do not belong in a log: identifiers do.
            return f"<{type(value).__name__}>"


def _container(value: Mapping[Any, Any] | Sequence[Any] | AbstractSet[Any], depth: int) -> object:
    if isinstance(value, Mapping):
        pairs = islice(value.items(), _MAX_ELEMENTS)
        return {scrub(str(key)): _field(str(key), each, depth + 1) for key, each in pairs}
    return [_value(each, depth + 1) for each in islice(value, _MAX_ELEMENTS)]


def _is_secret(key: str) -> bool:
    words = [word.lower() for word in _KEY_PARTS.findall(key)]
    whole = "_".join(words)
    return (
        not _WORDS.isdisjoint(words) or whole in _WHOLE or any(each in whole for each in _PHRASES)
    )


def _chain(error: BaseException, seen: frozenset[int] = frozenset()) -> Iterator[BaseException]:
    if id(error) in seen:
        return
    seen |= {id(error)}
    yield error
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from _chain(member, seen)
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _chain(cause, seen)


def _exception(error: BaseException) -> dict[str, Any]:
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
    return {
        "type": f"{module}{kind.__name__}",
        "says": says(error),
        "frames": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
