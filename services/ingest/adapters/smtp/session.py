"""One SMTP connection."""

import asyncio
from collections import defaultdict
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

import structlog
from aiosmtpd.smtp import SMTP, Envelope

from libs.common.errors import UndeliverError
from services.ingest import metrics
from services.ingest.adapters.smtp import replies
from services.ingest.adapters.smtp.commands import read_path
from services.ingest.adapters.smtp.spool import Spool
from services.ingest.adapters.smtp.transparency import read_message
from services.ingest.domain.reception import ReceivedMail
from services.ingest.domain.routes import Destination, Refusal

if TYPE_CHECKING:
    from services.ingest.adapters.smtp.listener import Listener

#: What a session reads at once; it also bounds what it holds unread.
_READ_BYTES = 256 * 1024
#: Of one command: senders add parameters that nobody offered.
_COMMAND_BYTES = 8 * 1024
#: Recipients that do not exist, in one connection: guessing tokens is not to be cheap.
_MAX_REFUSALS = 20
#: A client that sends less than this between two time-outs is taken for dead.
_PROGRESS_BYTES = 4096

_REFUSALS = {
    Refusal.FOREIGN_DOMAIN: replies.NOT_OURS,
    Refusal.OTHER_REGION: replies.NOT_IN_THIS_REGION,
    Refusal.UNKNOWN_TOKEN: replies.UNKNOWN_RECIPIENT,
    Refusal.FORMER_TOKEN: replies.NOT_NOW,
    Refusal.OTHER_LISTENER: replies.NOT_NOW,
}

_log = structlog.get_logger()


class Transaction(Envelope):
    """What MAIL and RCPT have said so far."""

    def __init__(self) -> None:
        super().__init__()
        self.tenants: list[str | None] = []
        self.recipients = 0


class Session(SMTP):
    """aiosmtpd's protocol, with its own MAIL, RCPT and DATA.

    Stock behaviour answers 5yz to what Exchange Online sends (long lines, unknown parameters, any
    exception), keeps the transaction after an exception, and cuts a slow transfer.
    """

    line_length_limit = _READ_BYTES

    def __init__(self, listener: "Listener", *, hostname: str, timeout_seconds: float) -> None:
        super().__init__(
            object(),
            data_size_limit=listener.limits.message_bytes,
            enable_SMTPUTF8=True,
            hostname=hostname,
            ident="ESMTP",
            timeout=timeout_seconds,
            loop=asyncio.get_running_loop(),
        )
        # The class's own is shared by all connections, and cleared by each new one.
        self.command_size_limits = defaultdict(lambda: _COMMAND_BYTES)
        self.command_size_limit = _COMMAND_BYTES
        self._smtp_methods.pop("AUTH")
        self._listener = listener
        self._refusals = 0
        self._unnoticed_bytes = 0
        self._is_reading = False
        self._is_keeping = False

    def _transaction(self) -> Transaction:
        """Return what the client has said since EHLO, RSET or the last message.

        No property: aiosmtpd's constructor reads those before there is one.
        """
        assert isinstance(self.envelope, Transaction)  # noqa: S101 - made below
        return self.envelope

    def _create_envelope(self) -> Transaction:
        return Transaction()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        self._listener.session_began(self)

    def connection_lost(self, error: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        super().connection_lost(error)
        self._listener.session_ended(self)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`. Progress holds off the time-out; a trickle does not."""
        super().data_received(data)
        self._unnoticed_bytes += len(data)
        if self._unnoticed_bytes >= _PROGRESS_BYTES and not self._is_keeping:
            self._unnoticed_bytes = 0
            self._reset_timeout()

    async def _handle_client(self) -> None:
        with suppress(ConnectionError):  # the client is gone; nobody looks at this task's end
            await super()._handle_client()

    async def handle_exception(self, error: Exception) -> str:
        """Answer a bug of ours so that the client keeps the message; say nothing of its nature."""
        _log.error("smtp_session_failed", exc_info=error)
        if self._is_reading:
            # What comes next is the middle of a message: nobody may take it for commands.
            await self._close(replies.CLOSING)
        return replies.NOT_NOW

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Greet, and offer only what we keep."""
        if not hostname:
            await self.push(replies.SYNTAX)
            return
        self.envelope = self._create_envelope()
        assert self.session is not None  # noqa: S101 - there since the connection is
        self.session.extended_smtp = True
        self.session.host_name = hostname
        offers = ["PIPELINING", f"SIZE {self.data_size_limit}", "8BITMIME", "SMTPUTF8"]
        if self.tls_context and not self._tls_protocol:
            offers.append("STARTTLS")
        lines = [self.hostname, *offers]
        for line in lines[:-1]:
            await self.push(f"250-{line}")
        await self.push(f"250 {lines[-1]}")

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """Begin a transaction. Who sends is no reason to refuse."""
        if await self.check_helo_needed():
            return
        path = read_path("FROM", arg)
        if path is None:
            await self.push(replies.SYNTAX)
        elif self._transaction().mail_from is not None:
            await self.push(replies.BAD_SEQUENCE)
        elif (path.size_bytes or 0) > self._listener.limits.message_bytes:
            _log.warning("mail_refused", reason="too_large", size_bytes=path.size_bytes)
            await self._decide("MAIL", replies.TOO_LARGE)
        else:
            self._transaction().mail_from = path.address
            await self._decide("MAIL", replies.SENDER_OK)

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """Find the tenant that an address stands for."""
        if await self.check_helo_needed():
            return
        path = read_path("TO", arg)
        if self._transaction().mail_from is None:
            await self.push(replies.BAD_SEQUENCE)
        elif path is None:
            await self.push(replies.SYNTAX)
        elif self._transaction().recipients >= self._listener.limits.recipients:
            await self._decide("RCPT", replies.TOO_MANY_RECIPIENTS)
        else:
            await self._resolve(path.address)

    async def _resolve(self, address: str) -> None:
        try:
            destination = await self._listener.resolve(address)
        except UndeliverError as error:
            _log.warning("recipient_not_resolved", reason=error.reason, detail=error.detail)
            await self._decide("RCPT", replies.NOT_NOW)
            return
        if isinstance(destination, Destination):
            self._transaction().recipients += 1
            if destination.tenant not in self._transaction().tenants:
                self._transaction().tenants.append(destination.tenant)
            await self._decide("RCPT", replies.RECIPIENT_OK)
            return
        _log.warning("recipient_refused", reason=destination.value, peer=self._peer())
        await self._decide("RCPT", _REFUSALS[destination])
        self._refusals += 1
        if self._refusals >= _MAX_REFUSALS:
            await self._close(replies.TOO_MANY_REFUSALS)

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """Take the message; whatever happens, the connection is ready for the next one."""
        if await self.check_helo_needed():
            return
        if not self._transaction().recipients:
            await self.push(replies.BAD_SEQUENCE)
            return
        if arg:
            await self.push(replies.SYNTAX)
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        try:
            reply = await self._take()
        finally:
            self._is_keeping = False
            self.envelope = self._create_envelope()
            if self.transport is not None:
                self._reset_timeout()
        await self._decide("DATA", reply)
        if self._listener.is_closing:
            await self._close(replies.CLOSING)

    async def _take(self) -> str:
        """Read a message and see it kept; return what to answer."""
        limits = self._listener.limits
        with Spool(
            limits.spool_folder,
            memory_bytes=limits.memory_bytes,
            limit_bytes=limits.message_bytes,
        ) as spool:
            self._is_reading = True
            await read_message(self._reader, spool)
            self._is_reading, self._is_keeping = False, True
            # From here on it is we who take our time; the client waits ten minutes (RFC 5321
            # §4.5.3.2.6), and keeping is bounded well below.
            if self._timeout_handle is not None:
                self._timeout_handle.cancel()
            if spool.is_too_large:
                _log.warning("mail_refused", reason="too_large", size_bytes=spool.size_bytes)
                return replies.TOO_LARGE
            return await self._listener.keep(spool, self._received)

    def _received(self, content: bytes, sha256: str, at: datetime) -> ReceivedMail:
        assert self.session is not None  # noqa: S101 - there since the connection is
        return ReceivedMail(
            content=content,
            sha256=sha256,
            mail_from=self._transaction().mail_from or "",
            tenants=tuple(self._transaction().tenants),
            listener=self._listener.name,
            peer=self._peer(),
            tls=self.session.ssl is not None,
            received_at=at,
        )

    def _peer(self) -> str:
        assert self.session is not None  # noqa: S101 - there since the connection is
        peer = self.session.peer
        return str(peer[0]) if isinstance(peer, tuple) else "local"

    async def _decide(self, verb: str, reply: str) -> None:
        metrics.SMTP_REPLIES.labels(verb, replies.code(reply)).inc()
        await self.push(reply)

    async def _close(self, reply: str) -> None:
        await self.push(reply)
        if self.transport is not None:
            self.transport.close()

    def end(self) -> None:
        """Say goodbye now; one whose message is being kept does so itself, after its answer."""
        if self._is_keeping or self.transport is None:
            return
        self._writer.write(f"{replies.CLOSING}\r\n".encode())
        if self._writer.transport.get_write_buffer_size():
            self._writer.transport.abort()  # who does not read would hold us up
        else:
            self.transport.close()
