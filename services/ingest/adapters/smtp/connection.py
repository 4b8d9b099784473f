"""One SMTP connection below its commands: its lines, its limits, its encryption and its end."""

import asyncio
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import structlog
from aiosmtpd.smtp import SMTP

from services.ingest import metrics
from services.ingest.adapters.smtp import replies
from services.ingest.adapters.smtp.budget import CommandBudget
from services.ingest.adapters.smtp.encryption import agreed_on, shake_hands

if TYPE_CHECKING:
    from services.ingest.adapters.smtp.listener import Listener

#: What a connection reads at once; it also bounds what it holds unread.
_READ_BYTES = 256 * 1024
#: Of one command: senders add parameters that nobody offered.
_COMMAND_BYTES = 8 * 1024
#: A client that sends less than this between two time-outs is taken for dead.
_PROGRESS_BYTES = 4096
#: RFC 3207 §4, and RSET, which decides nothing.
_BEFORE_TLS = frozenset({"EHLO", "NOOP", "QUIT", "RSET", "STARTTLS"})
#: How a client begins that speaks TLS from the first byte: it would wait for our part of it.
_TLS_RECORD = b"\x16\x03"

_log = structlog.get_logger()


class Connection(SMTP):
    """aiosmtpd's protocol, with its own reading of commands, its own STARTTLS and its own end.

    Stock behaviour answers 5yz to any exception, puts commands back to work that came behind its
    last reply, and says all that in words of its own.
    """

    line_length_limit = _READ_BYTES

    def __init__(self, listener: "Listener") -> None:
        super().__init__(
            object(),
            data_size_limit=listener.limits.message_bytes,
            enable_SMTPUTF8=True,
            hostname=listener.hostname(),
            timeout=listener.limits.idle_seconds,
            loop=asyncio.get_running_loop(),
        )
        # The class's own is shared by all connections, and cleared by each new one.
        self.command_size_limits = defaultdict(lambda: _COMMAND_BYTES)
        for name in ("AUTH", "EXPN", "HELP"):
            self._smtp_methods.pop(name)
        self._listener = listener
        self._socket: asyncio.Transport | None = None
        self._budget = CommandBudget()
        self._unnoticed_bytes = 0
        self._is_new = True
        self._is_shaking_hands = False
        #: In the middle of a message.
        self._is_reading = False
        #: It is the client who waits for us.
        self._is_keeping = False
        self._has_ended = False
        self._is_lost = False

    @property
    def peer(self) -> str:
        """The client's address."""
        name = self._socket.get_extra_info("peername") if self._socket else None
        return str(name[0]) if isinstance(name, tuple) else "local"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream's always is
        self._socket = transport
        super().connection_made(transport)
        self._listener.session_began(self)

    def connection_lost(self, error: Exception | None) -> None:
        """See `asyncio.Protocol`. Of a handshake that failed asyncio may tell twice."""
        if self._is_lost:
            return
        self._is_lost = True
        super().connection_lost(error)
        self._listener.session_ended(self)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`. Progress holds off the time-out; a trickle does not."""
        if self._is_new and self._socket is not None and data.startswith(_TLS_RECORD):
            _log.warning("smtp_client_began_with_tls", peer=self.peer)
            self._socket.abort()
            return
        self._is_new = False
        super().data_received(data)
        self._unnoticed_bytes += len(data)
        if self._unnoticed_bytes >= _PROGRESS_BYTES and not self._is_keeping:
            self._unnoticed_bytes = 0
            self._reset_timeout()

    def _timeout_cb(self) -> None:
        self._hang_up()
        self._cut_off_who_does_not_read()

    async def _handle_client(self) -> None:
        """Converse until either side hangs up; nobody looks at this task's end."""
        try:
            with suppress(ConnectionError):
                await self.push(f"220 {self.hostname} ESMTP")
                while self.transport is not None and not self._has_ended:
                    await self._turn()
        finally:
            self._hang_up()

    async def _turn(self) -> None:
        line = await self._command_line()
        try:
            await self._obey(line)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - the client must keep what a bug of ours dropped
            _log.error("smtp_session_failed", exc_info=error)
            if self._is_reading:
                # What comes next is the middle of a message: nobody may take it for commands.
                await self._close(replies.CLOSING)
            else:
                await self.push(replies.NOT_NOW)

    async def _command_line(self) -> bytes | None:
        """Return the next command; None for one that is too long, once all of it has come."""
        is_too_long = False
        while True:
            try:
                line: bytes = await self._reader.readuntil(b"\n")
            except asyncio.LimitOverrunError as error:
                await self._reader.readexactly(error.consumed)
                is_too_long = True
                continue
            return None if is_too_long or len(line) > _COMMAND_BYTES else line.rstrip(b"\r\n")

    async def _obey(self, line: bytes | None) -> None:
        name, _, argument = (line or b"").partition(b" ")
        command = name.decode("ascii", errors="replace").upper()
        method = self._smtp_methods.get(command)
        if not self._budget.spend(command if method else None):
            _log.warning("smtp_commands_over_limit", peer=self.peer)
            await self._close(replies.TOO_MANY_COMMANDS)
        elif line is None:
            await self.push(replies.COMMAND_TOO_LONG)
        elif self._has_to_encrypt() and command not in _BEFORE_TLS:
            if command == "MAIL":
                _log.warning("mail_refused", reason="not_encrypted", peer=self.peer)
                metrics.SMTP_REPLIES.labels("MAIL", replies.code(replies.TLS_FIRST)).inc()
            await self.push(replies.TLS_FIRST)
        elif method is None:
            await self.push(replies.UNKNOWN_COMMAND)
        else:
            self._reset_timeout()
            await method(argument.strip().decode("utf-8", errors="surrogateescape") or None)

    def _is_encrypted(self) -> bool:
        return self.session is not None and self.session.ssl is not None

    def _has_to_encrypt(self) -> bool:
        tls = self._listener.tls
        return tls is not None and tls.is_required and not self._is_encrypted()

    async def smtp_STARTTLS(self, argument: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """Encrypt, and begin anew (RFC 3207 §4.2)."""
        tls = self._listener.tls
        if self._is_encrypted():
            await self.push(replies.BAD_SEQUENCE)
        elif tls is None:
            await self.push(replies.NO_TLS)
        elif argument:
            await self.push(replies.SYNTAX)
        else:
            await self.push(replies.READY_FOR_TLS)
            await self._encrypt()

    async def _encrypt(self) -> None:
        assert self._socket is not None  # noqa: S101 - there since the connection is
        assert self._listener.tls is not None  # noqa: S101 - the caller looked
        assert self._timeout_handle is not None  # noqa: S101 - set since the connection was made
        self._discard_unencrypted()
        self._timeout_handle.cancel()
        self._is_shaking_hands = True
        try:
            encrypted = await shake_hands(
                self._socket,
                self,
                self._listener.tls.certificate.context,
                handshake_seconds=self._listener.limits.handshake_seconds,
            )
        except ConnectionError as error:
            self.connection_lost(error)
            raise
        finally:
            self._is_shaking_hands = False
        self._begin_anew(encrypted)

    def _discard_unencrypted(self) -> None:
        """Drop what came behind STARTTLS in the clear: anybody may have put it there.

        CVE-2024-34083. Nothing follows: asyncio hands over at once, so the next octet that we get
        was encrypted.
        """
        reader: Any = self._reader
        if waiting := reader._buffer:  # noqa: SLF001 - a reader cannot be emptied otherwise
            _log.warning("smtp_commands_discarded", size_bytes=len(waiting), peer=self.peer)
            waiting.clear()
            reader._maybe_resume_transport()  # noqa: SLF001 - as its own methods do

    def _begin_anew(self, encrypted: asyncio.Transport) -> None:
        """Forget what the client said in the clear: it has to say EHLO again."""
        self._set_rset_state()  # type: ignore[no-untyped-call]
        self.session = self._create_session()
        self.session.ssl = agreed_on(encrypted)
        self.transport = encrypted
        streams: tuple[Any, Any] = (self._reader, self._writer)
        for stream in streams:
            stream._transport = encrypted  # noqa: SLF001 - as asyncio's own writer does
        self._reset_timeout()

    async def _close(self, reply: str) -> None:
        await self.push(reply)
        self._hang_up()

    def _hang_up(self) -> None:
        """Close once: of an encrypted transport that is closed twice nothing works any more."""
        if not self._has_ended and self.transport is not None:
            self._has_ended = True
            self.transport.close()

    def end(self) -> None:
        """Say goodbye now; one whose message is being kept does so itself, after its answer."""
        if self._is_keeping or self.transport is None or self._socket is None:
            return
        if self._is_shaking_hands:
            self._socket.abort()
            return
        if not self._has_ended:
            self._writer.write(f"{replies.CLOSING}\r\n".encode())
            self._hang_up()
        self._cut_off_who_does_not_read()

    def _cut_off_who_does_not_read(self) -> None:
        """End a connection that would wait for its last words to be taken."""
        if self._socket is not None and self._socket.get_write_buffer_size():
            self._socket.abort()
