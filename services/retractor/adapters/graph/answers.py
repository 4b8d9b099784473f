"""What Graph's answers mean to us (Graph documentation, Error responses; Throttling limits)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from libs.common.errors import PermanentError, TransientError, UndeliverError

_MAX_RETRY_AFTER_SECONDS = 3600.0
#: The one code that is about a single mailbox; any other throttle is about the application.
_MAILBOX_THROTTLE = "ApplicationThrottled"

_PERMANENT = {
    "ErrorAccessDenied": "out_of_scope",
    "Authorization_RequestDenied": "permission_missing",
    "MailboxNotEnabledForRESTAPI": "mailbox_not_rest_enabled",
    "MailboxNotSupportedForRESTAPI": "mailbox_not_rest_enabled",
    "ErrorInvalidUser": "mailbox_not_found",
    "Request_ResourceNotFound": "mailbox_not_found",
    "ResourceNotFound": "mailbox_not_found",
    "ErrorQuotaExceeded": "mailbox_full",
    "InsufficientStorage": "mailbox_full",
}
#: Timed out, in conflict, locked: another moment may do.
_PASSING = (408, 409, 423)
_TRANSIENT = {
    "ErrorMailboxMoveInProgress": "mailbox_moving",
    "ErrorMailboxStoreUnavailable": "mailbox_moving",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """Graph's answer to one request."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_success(self) -> bool:
        """Whether Graph has done what we asked for."""
        return 200 <= self.status < 300

    @property
    def code(self) -> str:
        """Graph's own error code, "" where it has none."""
        error = self.body.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        return code if isinstance(code, str) else ""


def parsed(status: int, headers: Mapping[str, str], content: bytes) -> Answer:
    """Return an answer; a success that is no JSON object is a broken answer.

    Raises:
        TransientError: `graph_unavailable`.
    """
    body: object = {}
    if content:
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            body = None
    if not isinstance(body, dict):
        if 200 <= status < 300:
            raise TransientError("graph_unavailable", "not a JSON object")
        body = {}  # gateways answer in plain text
    return Answer(status, headers, body)


def failure(answer: Answer, now: datetime) -> UndeliverError:
    """Return the error that an answer without success stands for."""
    status, code = answer.status, answer.code
    wait = retry_after_seconds(answer, now)
    if status == 429:
        reason = "throttled" if code == _MAILBOX_THROTTLE else "throttled_everywhere"
        return TransientError(reason, retry_after_seconds=wait)
    if code in _PERMANENT:
        return PermanentError(_PERMANENT[code])
    if code in _TRANSIENT or status in _PASSING or status >= 500:
        reason = _TRANSIENT.get(code, "graph_unavailable")
        return TransientError(reason, f"status {status}", retry_after_seconds=wait)
    return PermanentError("graph_error", f"status {status} {code[:60]}")


def retry_after_seconds(answer: Answer, now: datetime) -> float | None:
    """Return what Retry-After asks for: whole or broken seconds, or a date; None where absent."""
    text = next((v for k, v in answer.headers.items() if k.lower() == "retry-after"), "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = _until(text, now)
    if seconds != seconds:  # noqa: PLR0124 - `nan` is a float, too
        return None
    return min(max(seconds, 0.0), _MAX_RETRY_AFTER_SECONDS)


def _until(text: str, now: datetime) -> float:
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return float("nan")
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return (at - now).total_seconds()
