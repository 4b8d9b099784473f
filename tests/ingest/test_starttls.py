"""Mail comes in encrypted, and what was said before counts for nothing (RFC 3207).

The numbers are those of the known misbehaviours of the library: see test_smtp_known_faults.py.
"""

import asyncio
import smtplib
import socket
import ssl
import warnings

import pytest
from structlog.testing import capture_logs

from services.ingest.domain.reception import Encryption
from tests.ingest.certificates import offered, trusting
from tests.ingest.listening import ACME, SENDER, Client, listening

MAIL = b"Subject: hello\r\n\r\nhello\r\n"
TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture
def tls(tmp_path):
    return offered(tmp_path)


@pytest.mark.parametrize("kind", ["ec", "rsa"])
@pytest.mark.parametrize(("version", "name"), [(TLS_1_2, "TLSv1.2"), (TLS_1_3, "TLSv1.3")])
async def test_mail_says_how_it_was_encrypted(keeper, tmp_path, kind, version, name):
    async with (
        listening(keeper, tls=offered(tmp_path, kind)) as listener,
        Client.connect(listener.port) as client,
    ):
        await client.encrypt(trusting(minimum_version=version, maximum_version=version))
        cipher = client.writer.get_extra_info("cipher")[0]
        assert (await client.deliver(MAIL)).startswith("250")

    (mail,) = keeper.kept
    assert mail.encryption == Encryption(name, cipher)
    assert "GCM" in cipher or "CHACHA20" in cipher
    assert (mail.content, mail.peer) == (MAIL, "127.0.0.1")


async def test_encrypted_nothing_is_offered_less_and_nothing_more(keeper, tls):
    async with listening(keeper, tls=tls) as listener, Client.connect(listener.port) as client:
        before = await client.say("EHLO client.example")
        await client.encrypt(trusting(), greet=False)
        after = await client.say("EHLO client.example")

    common = "PIPELINING\n250-SIZE 1000000\n250-8BITMIME\n"
    assert before == f"250-journaling.undeliver.example\n250-{common}250-SMTPUTF8\n250 STARTTLS"
    assert after == f"250-journaling.undeliver.example\n250-{common}250 SMTPUTF8"


async def test_what_was_said_in_the_clear_is_forgotten(keeper, tls):
    async with listening(keeper, tls=tls) as listener, Client.connect(listener.port) as client:
        await client.say(f"MAIL FROM:<{SENDER}>")
        await client.say(f"RCPT TO:<{ACME}>")
        await client.encrypt(trusting(), greet=False)

        assert (await client.say("MAIL FROM:<>")).startswith("503")
        await client.say("EHLO client.example")
        assert (await client.say("DATA")).startswith("503")
        assert (await client.say(f"RCPT TO:<{ACME}>")).startswith("503")
        assert (await client.say("STARTTLS")).startswith("503")
        assert (await client.deliver(MAIL)).startswith("250")


@pytest.mark.parametrize(
    "injected",
    [
        b"NOOP\r\n",
        b"EHLO evil.example\r\nMAIL FROM:<evil@x.example>\r\n",
        f"EHLO e\r\nMAIL FROM:<>\r\nRCPT TO:<{ACME}>\r\nDATA\r\nevil\r\n.\r\n".encode(),
        b"half a command",
    ],
)
async def test_what_comes_behind_starttls_in_the_clear_is_never_obeyed(keeper, tls, injected):
    with capture_logs() as logs:
        async with listening(keeper, tls=tls) as listener, Client.connect(listener.port) as client:
            await client.send(b"STARTTLS\r\n" + injected)
            assert (await client.reply()).startswith("220")
            await client.shake_hands(trusting())
            greeting = await client.say("EHLO client.example")
            recipient = await client.say(f"RCPT TO:<{ACME}>")

    assert greeting.startswith("250-journaling.undeliver.example\n")
    assert recipient.startswith("503")
    assert keeper.kept == []
    (said,) = [log for log in logs if log["event"] == "smtp_commands_discarded"]
    assert said["size_bytes"] == len(injected)


async def test_a_flood_behind_starttls_ends_the_connection(keeper, tls):
    async with listening(keeper, tls=tls) as listener, Client.connect(listener.port) as client:
        client.writer.write(b"STARTTLS\r\n" + b"x" * 4_000_000)

        assert (await client.rest()).count(b"\r\n") == 1  # 220, and nothing after it


@pytest.mark.parametrize(
    "command", ["MAIL FROM:<>", f"RCPT TO:<{ACME}>", "DATA", "HELO old.example", "VRFY x", "WHAT"]
)
async def test_where_encryption_is_required_nothing_is_taken_in_the_clear(
    keeper, tmp_path, command
):
    tls = offered(tmp_path, is_required=True)
    async with listening(keeper, tls=tls) as listener, Client.connect(listener.port) as client:
        assert await client.say(command) == "530 5.7.0 Must issue a STARTTLS command first"
        for allowed in ("NOOP", "RSET", "EHLO again.example"):
            assert (await client.say(allowed)).startswith("250")
        await client.encrypt(trusting())
        assert (await client.deliver(MAIL)).startswith("250")
        assert (await client.say("QUIT")).startswith("221")


async def test_a_command_with_an_argument_is_no_starttls(keeper, tls):
    async with listening(keeper, tls=tls) as listener, Client.connect(listener.port) as client:
        assert (await client.say("STARTTLS now")).startswith("501")
        assert (await client.deliver(MAIL)).startswith("250")


async def test_everything_may_be_pipelined_in_one_encrypted_record(keeper, tls):
    transaction = f"MAIL FROM:<>\r\nRCPT TO:<{ACME}>\r\nDATA\r\n".encode()
    async with listening(keeper, tls=tls) as listener, Client.connect(listener.port) as client:
        await client.encrypt(trusting())
        await client.send(transaction + MAIL + b".\r\n" + transaction + b"second\r\n.\r\nQUIT\r\n")
        replies = [(await client.reply())[:3] for _ in range(9)]

    assert replies == ["250", "250", "354", "250", "250", "250", "354", "250", "221"]
    assert keeper.contents == [MAIL, b"second\r\n"]


async def test_what_is_pipelined_behind_the_end_is_not_obeyed(keeper, tls):
    transaction = f"MAIL FROM:<>\r\nRCPT TO:<{ACME}>\r\nDATA\r\n".encode()
    async with listening(keeper, tls=tls) as listener, Client.connect(listener.port) as client:
        await client.encrypt(trusting())
        await client.send(b"QUIT\r\n" + transaction + MAIL + b".\r\n")
        assert (await client.reply()).startswith("221")
        assert await client.rest() == b""

    assert keeper.kept == []


async def test_any_octets_arrive_encrypted_as_they_were_sent(keeper, tls, tmp_path):
    message = b"\x00\xff\r\r\n\n" + b"z" * 300_000 + b"\r\n" + bytes(range(256)) * 50 + b"\r\n"
    stuffed = message.replace(b"\r\n.", b"\r\n..")
    async with (
        listening(keeper, tls=tls, memory_bytes=1000, spool_folder=tmp_path) as listener,
        Client.connect(listener.port) as client,
    ):
        await client.encrypt(trusting())
        assert (await client.deliver(stuffed)).startswith("250")

    assert keeper.contents == [message]


async def test_an_ordinary_client_delivers_encrypted(keeper, tls):
    def deliver(port):
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
            smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            smtp.starttls(context=trusting())
            for number in range(20):
                smtp.sendmail(SENDER, [ACME], f"number {number}\r\n")

    async with listening(keeper, tls=tls) as listener:
        await asyncio.to_thread(deliver, listener.port)

    assert keeper.contents == [b"number %d\r\n" % number for number in range(20)]


def old_client():
    """Return a client of before 2008."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = trusting(
            minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1
        )
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context


async def test_a_client_that_is_too_old_goes_unencrypted_or_not_at_all(keeper, tls):
    async with listening(keeper, tls=tls, connections=1) as listener:
        async with Client.connect(listener.port) as client:
            with pytest.raises(OSError):  # noqa: PT011 - an SSLError, or the connection's end
                await client.encrypt(old_client())
        async with Client.connect(listener.port) as client:  # its place is free again
            assert (await client.deliver(MAIL)).startswith("250")
