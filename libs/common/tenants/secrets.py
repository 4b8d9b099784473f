"""Secrets by reference: the one place that reads them, from the environment or from files."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import structlog
from pydantic import SecretBytes, SecretStr

from libs.common.errors import PermanentError
from libs.common.tenants.model import Configuration

#: A certificate with its chain and key is far smaller.
MAX_SECRET_BYTES = 64 * 1024

_log = structlog.get_logger()


class SecretUnavailable(PermanentError):  # noqa: N818 - named for the state it reports
    """A reference leads nowhere. Its text names tenant, field, place and remedy, never a value."""

    def __init__(self, tenant: str, field: str, problem: str) -> None:
        super().__init__("secret_unavailable", f"tenant {tenant}: {field}: {problem}")
        self.tenant = tenant
        self.field = field
        self.problem = problem


def resolve(reference: str, *, tenant: str, field: str) -> SecretStr:
    """Return the secret at `env:NAME` or `file:PATH`, without the new line at its end.

    Read anew at each call, so that a rotated file counts. Reads a small local file: blocks shortly.

    Raises:
        SecretUnavailable: not set, not there, not readable, empty, too large, no text.
    """
    content = resolve_bytes(reference, tenant=tenant, field=field).get_secret_value()
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise SecretUnavailable(
            tenant, field, f"{reference} is not text; store it as UTF-8"
        ) from None
    return SecretStr(text.rstrip("\r\n"))


def resolve_bytes(reference: str, *, tenant: str, field: str) -> SecretBytes:
    """Return the secret byte for byte: a certificate may be PEM or PKCS #12. See `resolve`."""
    kind, _, place = reference.partition(":")
    try:
        content = _read(Path(place)) if kind == "file" else os.environ[place].encode()
    except KeyError:
        problem = f"environment variable {place} is not set; set it and start again"
        raise SecretUnavailable(tenant, field, problem) from None
    except OSError as error:
        problem = f"{place} cannot be read ({error.strerror}); put the secret there"
        raise SecretUnavailable(tenant, field, problem) from None
    if not content.strip():
        raise SecretUnavailable(tenant, field, f"{place} is empty; put the secret there")
    if len(content) > MAX_SECRET_BYTES:
        raise SecretUnavailable(tenant, field, f"{place} is too large to be a secret")
    return SecretBytes(content)


def missing_secrets(configuration: Configuration) -> Iterator[SecretUnavailable]:
    """Return what does not resolve now, without ending anything.

    A tenant without its secret still has its mail journaled and classified; retracting it waits.
    """
    for tenant in configuration.tenants:
        for field in ("client_secret", "certificate"):
            reference = getattr(tenant.graph, field)
            if reference is None:
                continue
            try:
                resolve_bytes(reference, tenant=tenant.id, field=f"graph.{field}")
            except SecretUnavailable as error:
                yield error


def warn_of_missing_secrets(configuration: Configuration) -> None:
    """Log each secret that does not resolve: at start, where somebody looks."""
    for error in missing_secrets(configuration):
        _log.warning(
            "tenant_credential_missing",
            tenant=error.tenant,
            field=error.field,
            problem=error.problem,
        )


def _read(path: Path) -> bytes:
    # Without blocking: a pipe that nobody writes would hold the start for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(0, "not a regular file")
        if mode & stat.S_IROTH:
            _log.warning("credential_file_world_readable", path=path, remedy="chmod o-r")
        return file.read(MAX_SECRET_BYTES + 1)
