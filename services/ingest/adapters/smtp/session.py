"""The commands of one SMTP connection."""

from datetime import datetime
from typing import TYPE_CHECKING

import structlog
from aiosmtpd.smtp import Envelope

from libs.common.errors import UndeliverError
from services.ingest import metrics
from services.ingest.adapters.smtp import replies
from services.ingest.adapters.smtp.commands import read_path
from services.ingest.adapters.smtp.connection import Connection
from services.ingest.adapters.smtp.spool import Spool
from services.ingest.adapters.smtp.transparency import read_message
from services.ingest.domain.reception import Encryption, ReceivedMail
from services.ingest.domain.routes import Destination, Refusal

if TYPE_CHECKING:
    from services.ingest.adapters.smtp.listener import Listener

#: Recipients that do not exist, in one connection: guessing tokens is not to be cheap.
_MAX_REFUSALS = 20

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


class Session(Connection):
    """Our own commands, in place of all of aiosmtpd's.

    Stock ones answer 5yz to what Exchange Online sends (long lines, unknown parameters), keep the
    transaction after an exception, and cut a slow transfer.
    """

    def __init__(self, listener: "Listener") -> None:
        super().__init__(listener)
        self._refusals = 0

    def _transaction(self) -> Transaction:
        """Return what the client has said since EHLO, RSET or the last message.

        No property: aiosmtpd's constructor reads those before there is one.
        """
        assert isinstance(self.envelope, Transaction)  # noqa: S101 - made below
        return self.envelope

    def _create_envelope(self) -> Transaction:
        return Transaction()

    async def smtp_HELO(self, hostname: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """Greet a client of RFC 821."""
        await self._greet(hostname, self.hostname)

    async def smtp_EHLO(self, hostname: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """Greet, and offer only what we keep."""
        offers = ["PIPELINING", f"SIZE {self.data_size_limit}", "8BITMIME", "SMTPUTF8"]
        if self._listener.tls is not None and not self._is_encrypted():
            offers.append("STARTTLS")
        await self._greet(hostname, self.hostname, *offers)

    async def _greet(self, hostname: str | None, *lines: str) -> None:
        if not hostname:
            await self.push(replies.SYNTAX)
            return
        assert self.session is not None  # noqa: S101 - there since the connection is
        self.session.host_name = hostname
        self._set_rset_state()  # type: ignore[no-untyped-call]
        await self.push("\r\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"]))

    async def smtp_NOOP(self, _argument: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """Do nothing."""
        await self.push(replies.OK)

    async def smtp_RSET(self, _argument: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """Forget the transaction."""
        self._set_rset_state()  # type: ignore[no-untyped-call]
        await self.push(replies.OK)

    async def smtp_VRFY(self, _argument: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """Say nothing of who is there."""
        await self.push(replies.CANNOT_VERIFY)

    async def smtp_QUIT(self, _argument: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """Part."""
        await self._close(replies.BYE)

    async def check_helo_needed(self, helo: str = "HELO") -> bool:
        """Return True, and say so, where the client has not said who it is."""
        assert self.session is not None  # noqa: S101 - there since the connection is
        if self.session.host_name:
            return False
        await self.push(replies.BAD_SEQUENCE)
        return True

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """Begin a transaction. Who sends is no reason to refuse."""
        if await self.check_helo_needed():
            return
        path = read_path("FROM", arg)
        if path is None:
            await self.push(replies.SYNTAX)
        elif self._transaction().mail_from is not None:
            await self.push(replies.BAD_SEQUENCE)
        elif path.parameters.get("BODY", "").upper() == "BINARYMIME":
            await self.push(replies.SYNTAX)  # RFC 3030 §3: not offered, and DATA would spoil it
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
        _log.warning("recipient_refused", reason=destination.value, peer=self.peer)
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
        await self.push(replies.SEND_DATA)
        try:
            reply = await self._take()
        finally:
            self._is_keeping = False
            self.envelope = self._create_envelope()
            if self.transport is not None:
                self._reset_timeout()
        if reply == replies.ACCEPTED:
            encryption = self._encryption()
            metrics.SMTP_MAILS.labels(encryption.version if encryption else "none").inc()
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
            self._budget.renew()
            # From here on it is we who take our time; the client waits ten minutes (RFC 5321
            # §4.5.3.2.6), and keeping is bounded well below.
            if self._timeout_handle is not None:
                self._timeout_handle.cancel()
            if spool.is_too_large:
                _log.warning("mail_refused", reason="too_large", size_bytes=spool.size_bytes)
                return replies.TOO_LARGE
            return await self._listener.keep(spool, self._received)

    def _received(self, content: bytes, sha256: str, at: datetime) -> ReceivedMail:
        return ReceivedMail(
            content=content,
            sha256=sha256,
            mail_from=self._transaction().mail_from or "",
            tenants=tuple(self._transaction().tenants),
            listener=self._listener.name,
            peer=self.peer,
            encryption=self._encryption(),
            received_at=at,
        )

    def _encryption(self) -> Encryption | None:
        assert self.session is not None  # noqa: S101 - there since the connection is
        if self.session.ssl is None:
            return None
        return Encryption(version=self.session.ssl["version"], cipher=self.session.ssl["cipher"])

    async def _decide(self, verb: str, reply: str) -> None:
        metrics.SMTP_REPLIES.labels(verb, replies.code(reply)).inc()
        await self.push(reply)
