"""The ways in which work fails, by what the caller can do about it."""


class UndeliverError(Exception):
    """Base of our own errors.

    `reason` is a constant snake_case code: it goes into metrics, dead letters and the audit record,
    so it never quotes mail, addresses or secrets. `detail` is for the log, under the same rule.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class TransientError(UndeliverError):
    """The same work may succeed later. `retry_after_seconds` is what the other side asked for."""

    def __init__(
        self, reason: str, detail: str = "", *, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(reason, detail)
        self.retry_after_seconds = retry_after_seconds


class PermanentError(UndeliverError):
    """Understood, and can never succeed."""


class PoisonError(UndeliverError):
    """Not a message that we understand. Its body is never logged."""


class ConfigurationError(Exception):
    """What the operator wrote is wrong. Names file, line, field and remedy; exit code 2."""


class StartError(Exception):
    """The process cannot start here: one clear sentence for the operator. Exit code 1."""
