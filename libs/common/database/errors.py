"""Where asyncpg's exceptions become ours."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from libs.common.errors import ConfigurationError, TransientError

#: The connection or the server is gone, or refuses us for now (SQLSTATE 08, 28, 3D, 53, 57).
_UNREACHABLE = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # how a connection answers that the server has just ended
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.IdleInTransactionSessionTimeoutError,  # we stood still for too long
    # Refused at the door: being set up still, or its password is being changed.
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    OSError,
    TimeoutError,
)
#: Two transactions met (SQLSTATE class 40, and locks not available).
_CONFLICT = (asyncpg.TransactionRollbackError, asyncpg.LockNotAvailableError)


@contextmanager
def translated() -> Iterator[None]:
    """Raise our own errors for a database that is unreachable or in conflict; let bugs through.

    Raises:
        ConfigurationError: the address asks for what there is not; says no value of a secret.
        TransientError: `database_unreachable` or `database_conflict`.
    """
    task = asyncio.current_task()
    cancellations = task.cancelling() if task else 0
    try:
        yield
    except asyncpg.ClientConfigurationError as error:
        raise ConfigurationError(f"the address of the database cannot be used: {error}") from error
    except (*_CONFLICT, *_UNREACHABLE) as error:
        if isinstance(error, ValueError):  # asyncpg's way to refuse an argument: a bug of ours
            raise
        if task and task.cancelling() > cancellations:
            # A cancelled statement ends with what asyncpg met while it was ending it. A loop that
            # took this for an outage would go on for ever.
            raise asyncio.CancelledError from error
        reason = "database_conflict" if isinstance(error, _CONFLICT) else "database_unreachable"
        raise TransientError(reason, type(error).__name__) from error
