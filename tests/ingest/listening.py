"""A listener on a real socket, what stands behind it, and a client that controls every byte."""

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from libs.common.clock import SystemClock
from libs.common.tenants.current import CurrentConfiguration
from libs.common.tenants.model import Configuration
from services.ingest.adapters.smtp import ListenerLimits, open_listener
from services.ingest.domain.reception import ReceivedMail
from services.ingest.domain.routes import Routes
from services.ingest.handlers import CurrentRoutes, resolve_recipient
from services.ingest.ports import Resolve
from tests.fakes.known_tokens import FakeKnownTokens

ACME_TOKEN = "a" * 26
GLOBEX_TOKEN = "b" * 26
ELSEWHERE_TOKEN = "c" * 26
ACME = f"{ACME_TOKEN}@journaling.undeliver.example"
GLOBEX = f"{GLOBEX_TOKEN}@journaling.undeliver.example"
ELSEWHERE = f"{ELSEWHERE_TOKEN}@journaling.undeliver.example"
OTHER_REGION = f"{ACME_TOKEN}@journal.in.undeliver.example"
SENDER = "journal-ndr@contoso.example"

LIMITS = ListenerLimits(
    connections=20,
    recipients=5,
    message_bytes=1_000_000,
    memory_bytes=50_000,
    large_at_once=2,
    idle_seconds=30.0,
    handshake_seconds=10.0,
)


def tenant(name: str, token: str, listener: str = "default") -> dict:
    return {
        "id": name,
        "microsoft_tenant_id": f"{name}-id",
        "domains": [f"{name}.example"],
        "journal": {"token": token, "listeners": [listener]},
        "graph": {"client_id": "app", "client_secret": "env:SECRET"},
    }


CONFIGURATION = Configuration.model_validate(
    {
        "region": "eu",
        "service_domain": "undeliver.example",
        "journal_addresses": [
            {"domain": "journal.eu.undeliver.example", "home": "eu"},
            {"domain": "journal.in-eu.undeliver.example", "home": "in", "backups": ["eu"]},
            {"domain": "journal.in.undeliver.example", "home": "in", "backups": ["au"]},
        ],
        "tenants": [
            tenant("acme", ACME_TOKEN),
            tenant("globex", GLOBEX_TOKEN),
            tenant("initech", ELSEWHERE_TOKEN, listener="other"),
        ],
    }
)


@dataclass
class Keeper:
    """Stands where the handler does. `failure` is raised while it is set, `gate` is waited for."""

    kept: list[ReceivedMail] = field(default_factory=list)
    failure: Exception | None = None
    gate: asyncio.Event | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, mail: ReceivedMail) -> None:
        self.begun.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        self.kept.append(mail)

    @property
    def contents(self) -> list[bytes]:
        return [mail.content for mail in self.kept]


def current_routes(configuration, tokens: FakeKnownTokens | None = None) -> CurrentRoutes:
    routes = configuration.derived(partial(Routes, listener="default"))
    return CurrentRoutes(routes, tokens or FakeKnownTokens(), SystemClock())


def resolving(tokens: FakeKnownTokens | None = None) -> Resolve:
    routes = current_routes(CurrentConfiguration(CONFIGURATION), tokens)
    return partial(resolve_recipient, routes=routes)


@asynccontextmanager
async def listening(keeper, clock=None, tokens=None, tls=None, **changes):
    async with open_listener(
        keeper,
        resolving(tokens),
        replace(LIMITS, **changes),
        clock or SystemClock(),
        name="default",
        host="127.0.0.1",
        port=0,
        hostname=lambda: "journaling.undeliver.example",
        tls=tls,
    ) as listener:
        yield listener


class Client:
    """Speaks SMTP byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    @asynccontextmanager
    async def connect(cls, port: int, *, greet: bool = True):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.transport.get_extra_info("socket").setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )
        client = cls(reader, writer)
        try:
            if greet:
                await client.reply()
                await client.say("EHLO client.example")
            yield client
        finally:
            writer.close()

    async def reply(self) -> str:
        """Read one reply, all its lines."""
        lines = []
        while True:
            line = (await self.reader.readline()).decode()
            if not line:
                raise ConnectionResetError("closed by the server")
            lines.append(line.rstrip("\r\n"))
            if line[3:4] != "-":
                return "\n".join(lines)

    async def send(self, octets: bytes) -> None:
        self.writer.write(octets)
        await self.writer.drain()

    async def say(self, command: str) -> str:
        await self.send(command.encode() + b"\r\n")
        return await self.reply()

    async def encrypt(self, context: ssl.SSLContext, *, greet: bool = True) -> None:
        """Say STARTTLS, shake hands, and say EHLO again."""
        assert (await self.say("STARTTLS")).startswith("220")
        await self.shake_hands(context)
        if greet:
            await self.say("EHLO client.example")

    async def shake_hands(self, context: ssl.SSLContext) -> None:
        await self.writer.start_tls(context)

    @property
    def certificate(self) -> bytes:
        """What the server has shown, in DER."""
        return self.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)

    async def begin(self, *recipients: str, sender: str = SENDER) -> None:
        """Go as far as the data."""
        assert (await self.say(f"MAIL FROM:<{sender}>")).startswith("250")
        for recipient in recipients or (ACME,):
            assert (await self.say(f"RCPT TO:<{recipient}>")).startswith("250")
        assert (await self.say("DATA")).startswith("354")

    async def deliver(self, message: bytes, *recipients: str) -> str:
        """Send one message whole; it must need no transparency."""
        await self.begin(*recipients)
        await self.send(message + b".\r\n")
        return await self.reply()

    async def is_closed(self) -> bool:
        return await self.reader.read(1) == b""

    async def rest(self) -> bytes:
        """Read until the server has ended the connection, whichever way."""
        octets = b""
        try:
            while more := await self.reader.read(65_536):
                octets += more
        except OSError:
            pass
        return octets


@asynccontextmanager
async def connected(keeper, **changes):
    """Give a client of a listener of its own."""
    async with listening(keeper, **changes) as listener, Client.connect(listener.port) as client:
        yield client
