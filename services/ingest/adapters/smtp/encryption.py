"""TLS on a connection that began in the clear."""

import asyncio
import ssl
from dataclasses import dataclass
from typing import Any

import structlog

from services.ingest import metrics
from services.ingest.adapters.smtp.certificate import ServerCertificate

#: For the client's own goodbye.
_GOODBYE_SECONDS = 3.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Tls:
    """What a listener offers."""

    certificate: ServerCertificate
    #: Nothing is taken in the clear.
    is_required: bool


def agreed_on(encrypted: asyncio.Transport) -> dict[str, Any]:
    """Return the version and the cipher of an encrypted connection."""
    ssl_object: ssl.SSLObject = encrypted.get_extra_info("ssl_object")
    cipher = ssl_object.cipher()
    return {"version": ssl_object.version(), "cipher": cipher[0] if cipher else ""}


async def shake_hands(
    socket: asyncio.Transport,
    protocol: asyncio.Protocol,
    context: ssl.SSLContext,
    *,
    handshake_seconds: float,
) -> asyncio.Transport:
    """Return the encrypted side of a connection; from now on `protocol` gets only what came by it.

    No octet reaches the protocol any more that was not encrypted.

    Raises:
        ConnectionError: there is none; the connection is closed, and the protocol may not know.
    """
    outcome, reason = "broken_off", None
    try:
        encrypted: asyncio.Transport | None = await asyncio.get_running_loop().start_tls(
            socket,
            protocol,
            context,
            server_side=True,
            ssl_handshake_timeout=handshake_seconds,
            ssl_shutdown_timeout=_GOODBYE_SECONDS,
        )
    except ssl.SSLError as error:
        encrypted, outcome, reason = None, "failed", error.reason
    except ConnectionAbortedError:  # asyncio's own, for one that takes too long
        encrypted, outcome = None, "timed_out"
    except OSError:
        encrypted = None
    if encrypted is None:  # asyncio returns that, too, if the connection was closed meanwhile
        metrics.TLS_HANDSHAKES.labels(outcome).inc()
        _log.warning("tls_handshake_failed", outcome=outcome, reason=reason)
        raise ConnectionResetError(outcome)
    metrics.TLS_HANDSHAKES.labels("done").inc()
    return encrypted
