"""The port on which mail comes in."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime

import structlog

from libs.common.clock import Clock
from libs.common.errors import StartError, UndeliverError
from services.ingest import metrics
from services.ingest.adapters.smtp import replies
from services.ingest.adapters.smtp.connection import Connection
from services.ingest.adapters.smtp.encryption import Tls
from services.ingest.adapters.smtp.limits import ListenerLimits
from services.ingest.adapters.smtp.session import Session
from services.ingest.adapters.smtp.spool import Spool
from services.ingest.domain.reception import ReceivedMail
from services.ingest.ports import Accept, Resolve

Describe = Callable[[bytes, str, datetime], ReceivedMail]

_log = structlog.get_logger()


class Listener:
    """A listener's sessions, and the work that outlives them."""

    def __init__(
        self,
        name: str,
        *,
        resolve: Resolve,
        accept: Accept,
        limits: ListenerLimits,
        tasks: asyncio.TaskGroup,
        clock: Clock,
        hostname: Callable[[], str],
        tls: Tls | None,
    ) -> None:
        self.name = name
        #: How we call ourselves now.
        self.hostname = hostname
        #: None: STARTTLS is not offered.
        self.tls = tls
        self.resolve = resolve
        self.limits = limits
        self.is_closing = False
        #: Where it listens.
        self.port = 0
        self._accept = accept
        self._tasks = tasks
        self._clock = clock
        self._sessions: set[Connection] = set()
        #: Taken until a message is kept, whether its client stays or not: they bound our memory.
        self._turns = asyncio.Semaphore(limits.connections)
        self._large = asyncio.Semaphore(limits.large_at_once)
        self._is_empty = asyncio.Event()
        self._is_empty.set()

    def protocol(self) -> asyncio.Protocol:
        """Return what talks to a new client."""
        if len(self._sessions) >= self.limits.connections:
            metrics.SMTP_REFUSED.inc()
            return _Refusal()
        return Session(self)

    def session_began(self, session: Connection) -> None:
        """Count a session."""
        self._sessions.add(session)
        self._is_empty.clear()
        metrics.SMTP_CONNECTIONS.inc()
        if self.is_closing:  # it was on its way in when the door was shut
            session.end()

    def session_ended(self, session: Connection) -> None:
        """Forget a session."""
        if session in self._sessions:
            self._sessions.remove(session)
            metrics.SMTP_CONNECTIONS.dec()
        if not self._sessions:
            self._is_empty.set()

    async def keep(self, spool: Spool, describe: Describe) -> str:
        """See a message kept, and return what to answer.

        A client that goes away meanwhile ends its session, not this work: what has begun is
        finished, and the client's next attempt finds it done.
        """
        async with AsyncExitStack() as turns:
            await turns.enter_async_context(self._turns)
            if spool.is_on_disk:
                await turns.enter_async_context(self._large)
            try:
                content = await spool.content()
            except UndeliverError as error:
                return _answer_to(error)
            mail = describe(content, spool.sha256, self._clock.now())
            work = self._tasks.create_task(self._kept(mail, turns.pop_all()))
        return await asyncio.shield(work)

    async def _kept(self, mail: ReceivedMail, turns: AsyncExitStack) -> str:
        async with turns:
            return await self._accepted(mail)

    async def _accepted(self, mail: ReceivedMail) -> str:
        try:
            await self._accept(mail)
        except UndeliverError as error:
            return _answer_to(error)
        except Exception as error:  # noqa: BLE001 - the client must keep what a bug of ours dropped
            _log.error("mail_not_accepted", reason="bug", exc_info=error)
            return replies.NOT_NOW
        return replies.ACCEPTED

    async def close(self) -> None:
        """End all sessions; those whose message is being kept answer first."""
        self.is_closing = True
        for session in list(self._sessions):
            session.end()
        await self._is_empty.wait()


def _answer_to(error: UndeliverError) -> str:
    """Return a 4yz: whatever is wrong here, the client shall come again."""
    _log.warning("mail_not_accepted", reason=error.reason, detail=error.detail)
    return replies.NO_SPACE if error.reason in replies.NO_SPACE_REASONS else replies.NOT_NOW


class _Refusal(asyncio.Protocol):
    """Says that there are too many, and hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(f"{replies.TOO_MANY_CONNECTIONS}\r\n".encode())
        transport.close()


@asynccontextmanager
async def open_listener(
    accept: Accept,
    resolve: Resolve,
    limits: ListenerLimits,
    clock: Clock,
    *,
    name: str,
    host: str,
    port: int,
    hostname: Callable[[], str],
    tls: Tls | None = None,
) -> AsyncIterator[Listener]:
    """Listen until the context ends; port 0 takes a free one.

    On leaving, messages that have arrived whole are kept and answered; others are cut off.

    Raises:
        StartError: the port is taken, or not ours to take.
    """
    async with _task_group() as tasks:
        listener = Listener(
            name,
            resolve=resolve,
            accept=accept,
            limits=limits,
            tasks=tasks,
            clock=clock,
            hostname=hostname,
            tls=tls,
        )
        server = await _server(listener, host, port)
        listener.port = int(server.sockets[0].getsockname()[1])
        _log.info("smtp_listening", listener=name, host=host, port=listener.port)
        try:
            yield listener
        finally:
            server.close()
            await listener.close()


@asynccontextmanager
async def _task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """Give a task group that leaves the exception of its body as it is."""
    failure: BaseException | None = None
    async with asyncio.TaskGroup() as tasks:
        try:
            yield tasks
        except BaseException as error:  # noqa: BLE001 - raised below, and not in a group
            failure = error
    if failure is not None:
        raise failure


async def _server(listener: Listener, host: str, port: int) -> asyncio.Server:
    try:
        return await asyncio.get_running_loop().create_server(listener.protocol, host, port)
    except OSError as error:
        raise StartError(
            f"cannot listen for mail on {host}:{port}: {error.strerror or error}; choose another "
            "port with INGEST_SMTP_PORT"
        ) from error
