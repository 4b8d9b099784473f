"""Nothing that fails here may cost a message: the client hears 4yz and keeps it."""

import asyncio
import errno
import os
import tempfile
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from libs.common.clock import SystemClock
from libs.common.errors import PermanentError, StartError, TransientError
from services.ingest.adapters.smtp import open_listener
from services.ingest.adapters.smtp.connection import Connection
from services.ingest.adapters.smtp.spool import Spool
from tests.fakes.known_tokens import FakeKnownTokens
from tests.ingest.listening import ACME, LIMITS, Client, connected, listening, resolving

MAIL = b"Subject: hello\r\n\r\nhello\r\n"


@pytest.mark.parametrize(
    ("failure", "reply"),
    [
        (TransientError("broker_unreachable"), "451 4.3.0"),
        (TransientError("publish_timeout"), "451 4.3.0"),
        (TransientError("database_unreachable"), "451 4.3.0"),
        (TransientError("blob_store_unavailable"), "451 4.3.0"),
        (TransientError("blob_store_full"), "452 4.3.1"),
        (PermanentError("publish_refused"), "451 4.3.0"),
        (RuntimeError("amqp://user:secret@host/ says no"), "451 4.3.0"),
    ],
)
async def test_what_cannot_be_kept_is_to_come_again(client, keeper, failure, reply):
    keeper.failure = failure

    answer = await client.deliver(MAIL)

    assert answer.startswith(reply)
    assert not any(word in answer for word in ("secret", "broker", "Error", "database"))
    keeper.failure = None
    assert (await client.deliver(MAIL)).startswith("250")


async def test_a_bug_is_logged_for_people_to_see(client, keeper):
    keeper.failure = KeyError("bug")
    with capture_logs() as logs:
        await client.deliver(MAIL)

    (event,) = [log for log in logs if log["event"] == "mail_not_accepted"]
    assert (event["log_level"], event["reason"]) == ("error", "bug")


async def test_while_nobody_can_say_what_was_a_token_none_is_refused_for_good(keeper):
    tokens = FakeKnownTokens()
    tokens.broken = TransientError("database_unreachable")
    address = "x" * 26 + "@journaling.undeliver.example"
    async with connected(keeper, tokens=tokens) as client:
        await client.say("MAIL FROM:<>")
        while_away = await client.say(f"RCPT TO:<{address}>")
        tokens.broken = None
        again = await client.say(f"RCPT TO:<{address}>")

    assert while_away.startswith("451 4.3.0")
    assert again.startswith("550 5.1.1")


async def test_an_error_in_the_session_itself_leaves_it_usable(client, listener, monkeypatch):
    async def broken(address):
        raise RuntimeError("bug")

    await client.say("MAIL FROM:<>")
    sound, listener.resolve = listener.resolve, broken
    assert (await client.say(f"RCPT TO:<{ACME}>")) == "451 4.3.0 Not accepted now, try again later"
    listener.resolve = sound

    assert (await client.say(f"RCPT TO:<{ACME}>")).startswith("250")


async def test_an_error_after_the_message_leaves_no_transaction_behind(keeper, monkeypatch):
    async def broken(spool, describe):
        raise RuntimeError("bug")

    async with (
        listening(keeper, idle_seconds=1.0) as listener,
        Client.connect(listener.port) as client,
    ):
        with monkeypatch.context() as patch:
            patch.setattr(listener, "keep", broken)
            assert (await client.deliver(MAIL)).startswith("451 4.3.0")

        assert (await client.deliver(MAIL)).startswith("250")
        assert await client.is_closed()  # the time-out is on again


async def test_an_error_in_the_middle_of_a_message_makes_no_commands_of_the_rest(
    client, keeper, monkeypatch
):
    async def broken(spool, chunk):
        raise RuntimeError("bug")

    monkeypatch.setattr(Spool, "write", broken)
    await client.begin()
    rest = f"x.\r\nMAIL FROM:<>\r\nRCPT TO:<{ACME}>\r\nDATA\r\n".encode()
    # Just enough for a first piece: with more, the end of the connection may overtake the reply.
    await client.send(rest.rjust(Connection.line_length_limit + 3, b"x"))

    assert (await client.reply()).startswith("421")
    assert await client.is_closed()
    assert keeper.kept == []


async def test_a_client_that_does_not_stop_is_cut_off(keeper):
    async with connected(keeper, message_bytes=100_000) as client:
        await client.begin()
        with pytest.raises(OSError):  # noqa: PT011 - whichever way the connection ends
            await flood(client)

    assert keeper.kept == []


async def flood(client):
    for _ in range(1000):
        await client.send(b"x" * 100_000)
        await asyncio.sleep(0)


async def test_a_client_that_leaves_after_the_end_has_its_message_kept_once(keeper):
    keeper.gate = asyncio.Event()
    async with listening(keeper) as listener:
        async with Client.connect(listener.port) as client:
            await client.begin()
            await client.send(MAIL + b".\r\n")
            await keeper.begun.wait()
        async with Client.connect(listener.port):  # the server has seen the other one go
            keeper.gate.set()

    assert keeper.contents == [MAIL]


class Crowd:
    """Stands where the handler does, and says how many messages are there."""

    def __init__(self):
        self.gate = asyncio.Event()
        self.size = 0

    async def __call__(self, mail):
        self.size += 1
        await self.gate.wait()

    async def until(self, size):
        while self.size < size:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("limit", [{"large_at_once": 2, "memory_bytes": 100}, {"connections": 2}])
async def test_clients_that_leave_after_the_end_pile_up_no_messages(limit):
    crowd = Crowd()
    async with listening(crowd, **limit) as listener, asyncio.timeout(10):
        for number in (1, 2):
            async with Client.connect(listener.port) as leaving:
                await leaving.begin()
                await leaving.send(b"x" * 5000 + b"\r\n.\r\n")
                await crowd.until(number)
        async with Client.connect(listener.port) as third:
            await third.begin()
            await third.send(b"x" * 5000 + b"\r\n.\r\n")
            with suppress(TimeoutError):
                await asyncio.wait_for(crowd.until(3), 0.3)
            size = crowd.size
            crowd.gate.set()
            assert (await third.reply()).startswith("250")

    assert size == 2


async def test_a_client_that_leaves_before_the_end_leaves_nothing(keeper, tmp_path):
    async with connected(keeper, memory_bytes=100, spool_folder=tmp_path) as client:
        await client.begin()
        await client.send(b"x" * 5000 + b"\r\n")

    assert keeper.kept == []
    assert list(tmp_path.iterdir()) == []


async def test_a_declared_size_above_the_limit_is_refused_at_once(client):
    reply = await client.say("MAIL FROM:<> SIZE=1000001")

    assert reply.startswith("552 5.3.4")
    assert (await client.deliver(MAIL)).startswith("250")


async def test_a_size_above_the_limit_is_refused_at_the_end(client, keeper):
    message = b"x" * 998 + b"\r\n"

    assert (await client.deliver(message * 1001)).startswith("552 5.3.4")
    assert (await client.deliver(message * 1000)).startswith("250")
    assert keeper.contents == [message * 1000]


class FullDisk:
    """A file on a disk without room."""

    def write(self, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_a_full_disk_asks_the_client_to_wait(keeper, monkeypatch):
    async with connected(keeper, memory_bytes=100) as client:
        with monkeypatch.context() as patch:
            patch.setattr(tempfile, "TemporaryFile", lambda **_: FullDisk())
            reply = await client.deliver(b"x" * 5000 + b"\r\n")
        again = await client.deliver(b"x" * 5000 + b"\r\n")

    assert reply.startswith("452 4.3.1")
    assert again.startswith("250")


async def test_a_missing_spool_folder_asks_the_client_to_wait(keeper, tmp_path):
    async with connected(keeper, memory_bytes=100, spool_folder=tmp_path / "gone") as client:
        assert (await client.deliver(b"x" * 5000 + b"\r\n")).startswith("451 4.3.0")


async def test_an_idle_client_is_let_go(keeper):
    async with connected(keeper, idle_seconds=0.1) as client:
        assert await client.is_closed()


async def test_a_slow_client_that_gets_on_is_not_cut_off(keeper):
    async with connected(keeper, idle_seconds=1.0) as client:
        await client.begin()
        for _ in range(15):
            await client.send(b"x" * 5000 + b"\r\n")
            await asyncio.sleep(0.1)
        await client.send(b".\r\n")

        assert (await client.reply()).startswith("250")


async def trickle(client):
    for _ in range(100):
        await client.send(b"x")
        await asyncio.sleep(0.02)


async def test_a_trickle_is_not_getting_on(keeper):
    async with connected(keeper, idle_seconds=0.3) as client:
        await client.begin()
        with pytest.raises(OSError):  # noqa: PT011 - whichever way the connection ends
            await trickle(client)


async def test_keeping_a_message_may_take_longer_than_a_client_may_be_idle(keeper):
    keeper.gate = asyncio.Event()
    async with connected(keeper, idle_seconds=0.5) as client:
        await client.begin()
        await client.send(MAIL + b".\r\n")
        await asyncio.sleep(1)
        keeper.gate.set()

        assert (await client.reply()).startswith("250")


async def test_beyond_the_limit_connections_are_to_come_again(keeper):
    async with (
        listening(keeper, connections=2) as listener,
        Client.connect(listener.port),
        Client.connect(listener.port) as second,
    ):
        async with Client.connect(listener.port, greet=False) as third:
            assert (await third.reply()).startswith("421 4.3.2")
            assert await third.is_closed()
        await second.say("QUIT")
        assert await second.is_closed()
        async with Client.connect(listener.port) as fourth:
            assert (await fourth.deliver(MAIL)).startswith("250")


async def test_closing_answers_for_what_has_arrived_and_says_goodbye(keeper):
    keeper.gate = asyncio.Event()
    async with asyncio.TaskGroup() as tasks, listening(keeper) as listener:
        stop = asyncio.Event()

        async def close():
            await stop.wait()
            await listener.close()

        closing = tasks.create_task(close())
        async with Client.connect(listener.port) as idle, Client.connect(listener.port) as busy:
            await busy.begin()
            await busy.send(MAIL + b".\r\n")
            await keeper.begun.wait()
            stop.set()
            assert (await idle.reply()).startswith("421 4.3.2")
            assert not closing.done()
            keeper.gate.set()
            assert (await busy.reply()).startswith("250")
            assert (await busy.reply()).startswith("421")
            await closing

    assert keeper.contents == [MAIL]


async def test_a_client_that_was_on_its_way_in_when_the_door_was_shut_holds_nothing_up(keeper):
    keeper.gate = asyncio.Event()
    async with (
        asyncio.TaskGroup() as tasks,
        listening(keeper) as listener,
        Client.connect(listener.port) as busy,
    ):
        await busy.begin()
        await busy.send(MAIL + b".\r\n")
        await keeper.begun.wait()
        closing = tasks.create_task(listener.close())
        async with Client.connect(listener.port, greet=False) as newcomer, asyncio.timeout(5):
            assert (await newcomer.reply()).startswith("421 4.3.2")
            assert await newcomer.is_closed()
            keeper.gate.set()
            await closing


async def test_a_port_that_is_taken_is_said_in_one_sentence(listener, keeper):
    with pytest.raises(StartError) as raised:
        async with open_listener(
            keeper,
            resolving(),
            LIMITS,
            SystemClock(),
            name="default",
            host="127.0.0.1",
            port=listener.port,
            hostname=lambda: "x.example",
        ):
            pass

    assert str(raised.value).startswith(f"cannot listen for mail on 127.0.0.1:{listener.port}: ")
    assert "\n" not in str(raised.value)
