"""What is refused for good is in ADR 6, all of it, and nothing else is."""

import re
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP

from services.ingest.adapters.smtp import replies
from services.ingest.adapters.smtp.connection import Connection
from services.ingest.adapters.smtp.session import Session
from tests.ingest.certificates import offered
from tests.ingest.listening import ACME, Client, connected, listening

PROJECT = Path(__file__).parents[2]
DECISION = PROJECT / "docs/adr/0006-smtp-refusals.md"
SOURCES = PROJECT / "services/ingest/adapters/smtp"
REFUSALS = {
    reply
    for name, reply in vars(replies).items()
    if name.isupper() and isinstance(reply, str) and reply.startswith("5")
}

MAIL = b"Subject: hello\r\n\r\nhello\r\n"
#: Whatever a client may think of, each on a line of its own.
NONSENSE = [
    b"",
    b" ",
    b"\x00",
    b"\xff\xfe",
    b"\xc3\xa4HLO x",
    b"MAIL",
    b"MAIL FROM:",
    b"MAIL FROM:<>",
    b"MAIL FROM:<> BODY=BINARYMIME",
    b"MAIL FROM:<> SIZE=1000001",
    b"RCPT TO:<>",
    b"RCPT TO:<x@y.example>",
    b"RCPT TO:<" + b"z" * 26 + b"@journaling.undeliver.example>",
    b"DATA",
    b"DATA now",
    b"BDAT 10 LAST",
    b"AUTH PLAIN",
    b"STARTTLS",
    b"STARTTLS now",
    b"EHLO",
    b"HELO",
    b"NOOP x",
    b"RSET x",
    b"VRFY x",
    b"EXPN x",
    b"HELP",
    b"ETRN x",
    b"XCLIENT x",
    b"GET / HTTP/1.1",
    b"NOOP " + b"x" * 10_000,
    b"NOOP " + b"x" * 600_000,
    b"QUIT now",
]


def test_the_decision_names_every_refusal_and_no_other():
    table = DECISION.read_text(encoding="utf-8")
    decided = set(re.findall(r"^\| `(5\d\d 5\.\d\.\d)`", table, re.MULTILINE))

    assert decided == {reply[:9] for reply in REFUSALS}


def test_refusals_are_written_in_one_place():
    elsewhere = [
        path.name
        for path in SOURCES.glob("*.py")
        if re.search(r'"[45]\d\d[ -]', path.read_text(encoding="utf-8"))
    ]

    assert elsewhere == ["replies.py"]


def test_every_command_is_our_own():
    """Stock ones answer in words, and with codes, of their own."""
    ours = {name for each in (Connection, Session) for name in vars(each)}
    stock = {name for name in vars(SMTP) if name.startswith("smtp_")}

    assert stock - ours == {"smtp_AUTH", "smtp_EXPN", "smtp_HELP"}  # taken away


@pytest.mark.parametrize("line", NONSENSE)
@pytest.mark.parametrize("before", [b"", b"EHLO x", b"EHLO x\r\nMAIL FROM:<>"])
async def test_whatever_a_client_says_a_refusal_is_one_of_these(keeper, before, line):
    async with (
        listening(keeper) as listener,
        Client.connect(listener.port, greet=False) as client,
    ):
        answers = [await client.reply()]
        for command in [*filter(None, before.split(b"\r\n")), line]:
            await client.send(command + b"\r\n")
            answers.append(await client.reply())

    assert {each for each in answers if each.startswith("5")} <= REFUSALS


@pytest.mark.parametrize("line", NONSENSE)
async def test_whatever_a_client_says_in_the_clear_is_refused_alike(keeper, tmp_path, line):
    tls = offered(tmp_path, is_required=True)
    async with listening(keeper, tls=tls) as listener, Client.connect(listener.port) as client:
        await client.send(line + b"\r\n")
        answer = await client.reply()

    assert not answer.startswith("5") or answer in REFUSALS
    assert keeper.kept == []


async def test_what_a_message_holds_is_never_a_reason(keeper):
    async with connected(keeper) as client:
        for message in (b"", b"\r\n", b"\x00\r\n", b"x" * 900_000 + b"\r\n", bytes(9) + b"\r\n"):
            assert (await client.deliver(message, ACME)).startswith("250")
