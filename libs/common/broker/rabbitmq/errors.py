"""What the client and the broker raise becomes our own errors here."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aio_pika.exceptions import (
    AMQPError,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
    DeliveryError,
    ProbableAuthenticationError,
    PublishError,
)
from aiormq.exceptions import ChannelAccessRefused, InvalidFrameError
from pamqp.exceptions import PAMQPException

from libs.common.errors import PermanentError, TransientError, UndeliverError

#: The client raises them for a lost connection; the last is its "channel() on a closed connection".
CONNECTION_ERRORS = (AMQPError, PAMQPException, OSError, EOFError, RuntimeError)

#: What the client waits for when it enters a virtual host. A refusal has no error of its own.
_OPENED = "Connection.OpenOk"


@contextmanager
def broker_errors() -> Iterator[None]:
    """Raise our own errors for what happens on a connection.

    Raises:
        TransientError: `broker_unreachable`, `no_queue` (it, or its exchange, does not exist).
        PermanentError: `refused` (this user may not), `conflict` (it exists with other arguments).
    """
    try:
        yield
    except asyncio.CancelledError:
        # The client cancels whoever waits for a connection that it closes.
        if _is_cancelled():
            raise
        raise TransientError("broker_unreachable", "the connection was closed") from None
    except CONNECTION_ERRORS as error:
        if type(error) is RuntimeError and not str(error).endswith("closed"):
            raise
        raise _translated(error) from error
    except Exception as error:
        # Bare, the client's word for a socket that was closed without one.
        if type(error) is not Exception:
            raise
        raise TransientError("broker_unreachable", "the connection was closed") from error


@contextmanager
def publish_errors() -> Iterator[None]:
    """Raise what `Publisher.publish` promises. An error of the channel is its last message's.

    Raises:
        TransientError: `no_queue`, `publish_rejected` (a queue refused it), `broker_unreachable`.
        PermanentError: `publish_refused`, `message_too_large`.
    """
    try:
        with broker_errors():
            yield
    except PermanentError as error:
        is_too_large = error.reason == "conflict" and "message size" in error.detail
        reason = "message_too_large" if is_too_large else "publish_refused"
        raise PermanentError(reason, error.detail) from error
    except TransientError as error:
        match error.__cause__:
            case PublishError():
                raise TransientError("no_queue", "nothing is bound") from error
            case DeliveryError():
                raise TransientError("publish_rejected", "a queue is full or gone") from error
        raise


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _translated(error: Exception) -> UndeliverError:
    match error:
        case ChannelAccessRefused():
            return PermanentError("refused", _text(error))
        case ChannelPreconditionFailed():
            return PermanentError("conflict", _text(error))
        case ChannelNotFoundEntity():
            return TransientError("no_queue", _text(error))
        case ProbableAuthenticationError():
            return TransientError("broker_unreachable", "user or password is refused")
        case InvalidFrameError() if _OPENED in str(error):
            return TransientError(
                "broker_unreachable", "there is no such virtual host, or this user may not enter it"
            )
    return TransientError("broker_unreachable", type(error).__name__)


def _text(error: AMQPError) -> str:
    """Return the broker's own words. They name things and users, never a password."""
    return str(error.args[0]).partition(" - ")[2] if error.args else ""
