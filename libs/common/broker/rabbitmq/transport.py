"""The socket under a connection, with a reader that repairs frames."""

import asyncio
import logging
from typing import Any

from aiormq.connection import TransportFactory
from yarl import URL

from libs.common.broker.rabbitmq.frames import PREFIX_BYTES, readable

_EVERY_ATTEMPT = "error when creating transport: %r"
# What the client says of each attempt that fails. We say once that an outage began, and a command
# says why it failed.
logging.getLogger("aiormq.connection").addFilter(lambda record: record.msg != _EVERY_ATTEMPT)


class RepairingTransport(TransportFactory):
    """Connects as the client would, and lets it read only what it can decode."""

    async def create(
        self,
        url: URL,
        **kwargs: Any,  # noqa: ANN401 - the client's own signature
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """See `TransportFactory.create`. `amqps` checks the certificate and the host's name."""
        certificates = kwargs.pop("ssl_context_provider")
        tls = await certificates.get_context() if url.scheme == "amqps" else None
        loop = asyncio.get_running_loop()
        reader = _FrameReader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.create_connection(
            lambda: protocol, url.host or "", url.port or 0, ssl=tls, **kwargs
        )
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


class _FrameReader(asyncio.StreamReader):
    """Reads a whole frame ahead, and hands out its bytes as they are asked for."""

    _frame = b""

    async def readexactly(self, n: int) -> bytes:
        """See `StreamReader.readexactly`; never more than the rest of one frame."""
        if not self._frame:
            prefix = await super().readexactly(PREFIX_BYTES)
            if prefix.startswith(b"AMQP"):  # the server refuses our protocol, and closes
                return prefix[:n]
            rest = await super().readexactly(int.from_bytes(prefix[3:], "big") + 1)
            self._frame = readable(prefix + rest)
        taken, self._frame = self._frame[:n], self._frame[n:]
        return taken
