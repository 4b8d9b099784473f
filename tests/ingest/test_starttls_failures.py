"""What goes wrong with encryption costs its own connection, in bounded time, and no mail."""

import asyncio
import ssl
import tracemalloc
import warnings

import pytest

from services.ingest import metrics
from tests.ingest.certificates import offered, trusting
from tests.ingest.listening import Client, listening

MAIL = b"Subject: hello\r\n\r\nhello\r\n"


@pytest.fixture
def tls(tmp_path):
    return offered(tmp_path)


class Handshakes:
    """How many there have been since."""

    def __init__(self):
        self._before = {name: self._count(name) for name in ("done", *self.FAILURES)}

    FAILURES = ("failed", "timed_out", "broken_off")

    @staticmethod
    def _count(outcome):
        return metrics.TLS_HANDSHAKES.labels(outcome)._value.get()

    def new(self, outcome):
        return self._count(outcome) - self._before[outcome]


@pytest.fixture
def handshakes():
    return Handshakes()


async def takes_mail(listener):
    """Return whether the listener has a place, and takes a message encrypted."""
    async with Client.connect(listener.port) as client:
        await client.encrypt(trusting())
        return (await client.deliver(MAIL)).startswith("250")


async def test_a_client_that_is_silent_after_starttls_is_let_go(keeper, tls, handshakes):
    async with listening(keeper, tls=tls, connections=1, handshake_seconds=0.2) as listener:
        async with Client.connect(listener.port) as client:
            assert (await client.say("STARTTLS")).startswith("220")
            assert await client.rest() == b""

        assert handshakes.new("timed_out") == 1
        assert await takes_mail(listener)


async def test_a_client_that_trickles_through_the_handshake_is_let_go(keeper, tls, handshakes):
    async def trickle(client):
        for octet in b"\x16\x03\x01\x02\x00" + b"\x01" * 500:
            await client.send(bytes([octet]))
            await asyncio.sleep(0.02)

    async with (
        listening(keeper, tls=tls, handshake_seconds=0.2) as listener,
        Client.connect(listener.port) as client,
    ):
        await client.say("STARTTLS")
        with pytest.raises(OSError):  # noqa: PT011 - whichever way the connection ends
            await trickle(client)

    assert handshakes.new("timed_out") == 1


@pytest.mark.parametrize(
    "octets", [b"EHLO client.example\r\n", b"\x00" * 2000, b"\x16\x03\x01\xff"]
)
async def test_what_is_no_handshake_ends_the_connection(keeper, tls, handshakes, octets):
    async with listening(keeper, tls=tls, connections=1, handshake_seconds=0.5) as listener:
        async with Client.connect(listener.port) as client:
            await client.say("STARTTLS")
            await client.send(octets)
            assert await client.rest() == b""

        assert handshakes.new("failed") + handshakes.new("timed_out") == 1
        assert await takes_mail(listener)


async def test_a_client_that_leaves_amid_the_handshake_frees_its_place(keeper, tls, handshakes):
    async with listening(keeper, tls=tls, connections=1) as listener:
        async with Client.connect(listener.port) as client:
            await client.say("STARTTLS")
            client.writer.close()
            assert await client.rest() == b""
        async with asyncio.timeout(5):
            while not handshakes.new("broken_off"):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)

        assert await takes_mail(listener)


async def test_a_client_that_is_too_old_is_counted(keeper, tls, handshakes):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old = trusting(minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)
        old.set_ciphers("ALL:@SECLEVEL=0")
    async with listening(keeper, tls=tls, connections=1) as listener:
        async with Client.connect(listener.port) as client:
            with pytest.raises(OSError):  # noqa: PT011 - an SSLError, or the connection's end
                await client.encrypt(old)

        assert handshakes.new("failed") == 1
        assert await takes_mail(listener)


async def test_a_client_that_speaks_tls_from_the_start_is_not_left_waiting(keeper, tls):
    async with listening(keeper, tls=tls) as listener:
        with pytest.raises(OSError):  # noqa: PT011 - whichever way the connection ends
            await asyncio.open_connection("127.0.0.1", listener.port, ssl=trusting())

        assert await takes_mail(listener)


async def test_a_client_that_leaves_after_the_end_has_its_message_kept_once(keeper, tls):
    keeper.gate = asyncio.Event()
    async with listening(keeper, tls=tls) as listener:
        async with Client.connect(listener.port) as client:
            await client.encrypt(trusting())
            await client.begin()
            await client.send(MAIL + b".\r\n")
            await keeper.begun.wait()
        async with Client.connect(listener.port):  # the server has seen the other one go
            keeper.gate.set()

    assert keeper.contents == [MAIL]


async def test_an_encrypted_client_that_gets_on_slowly_is_not_cut_off(keeper, tls):
    async with (
        listening(keeper, tls=tls, idle_seconds=1.0) as listener,
        Client.connect(listener.port) as client,
    ):
        await client.encrypt(trusting())
        await client.begin()
        for _ in range(15):
            await client.send(b"x" * 5000 + b"\r\n")
            await asyncio.sleep(0.1)
        await client.send(b".\r\n")

        assert (await client.reply()).startswith("250")


async def test_an_encrypted_trickle_is_not_getting_on(keeper, tls):
    async def trickle(client):
        for _ in range(300):
            await client.send(b"x")
            await asyncio.sleep(0.02)

    async with (
        listening(keeper, tls=tls, idle_seconds=0.3) as listener,
        Client.connect(listener.port) as client,
    ):
        await client.encrypt(trusting())
        await client.begin()
        with pytest.raises(OSError):  # noqa: PT011 - whichever way the connection ends
            await trickle(client)


async def test_an_encrypted_client_that_is_idle_is_let_go(keeper, tls):
    async with (
        listening(keeper, tls=tls, idle_seconds=0.3) as listener,
        Client.connect(listener.port) as client,
    ):
        await client.encrypt(trusting())
        assert await client.rest() == b""


async def test_closing_answers_encrypted_for_what_has_arrived_and_waits_for_nobody_else(
    keeper, tls
):
    keeper.gate = asyncio.Event()
    async with (
        asyncio.TaskGroup() as tasks,
        listening(keeper, tls=tls) as listener,
        Client.connect(listener.port) as idle,
        Client.connect(listener.port) as busy,
        Client.connect(listener.port) as shaking_hands,
    ):
        await shaking_hands.say("STARTTLS")
        await idle.encrypt(trusting())
        await busy.encrypt(trusting())
        await busy.begin()
        await busy.send(MAIL + b".\r\n")
        await keeper.begun.wait()
        closing = tasks.create_task(listener.close())
        assert (await idle.reply()).startswith("421 4.3.2")
        assert await shaking_hands.rest() == b""  # nothing in the clear
        assert not closing.done()
        keeper.gate.set()
        assert (await busy.reply()).startswith("250")
        assert (await busy.reply()).startswith("421")
        async with asyncio.timeout(8):  # a client that does not part has three seconds
            await closing

    assert keeper.contents == [MAIL]


async def test_a_large_message_takes_little_memory_while_it_comes(keeper, tls, tmp_path):
    block = (b"z" * 1022 + b"\r\n") * 64
    async with (
        listening(
            keeper, tls=tls, memory_bytes=100_000, message_bytes=20_000_000, spool_folder=tmp_path
        ) as listener,
        Client.connect(listener.port) as client,
    ):
        await client.encrypt(trusting())
        await client.begin()
        tracemalloc.start()
        try:
            for _ in range(229):  # 15 MB
                await client.send(block)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        await client.send(b".\r\n")
        assert (await client.reply()).startswith("250")

    assert peak < 4_000_000
    assert keeper.contents == [block * 229]
