"""What clients say to the listener, and what it answers."""

import smtplib

import pytest

from tests.ingest.listening import (
    ACME,
    ACME_TOKEN,
    ELSEWHERE,
    GLOBEX,
    OTHER_REGION,
    SENDER,
    Client,
    listening,
)

MAIL = b"Subject: hello\r\n\r\nhello\r\n"


async def test_a_message_is_accepted_and_kept_as_it_was_sent(client, keeper):
    reply = await client.deliver(MAIL)

    assert reply == "250 2.0.0 Accepted"
    (mail,) = keeper.kept
    assert (mail.content, mail.tenants, mail.mail_from) == (MAIL, ("acme",), SENDER)
    assert (mail.listener, mail.peer, mail.encryption) == ("default", "127.0.0.1", None)


async def test_the_banner_names_no_version(listener):
    async with Client.connect(listener.port, greet=False) as client:
        assert await client.reply() == "220 journaling.undeliver.example ESMTP"


async def test_what_is_offered_is_what_is_kept(client):
    offers = (await client.say("EHLO again.example")).replace("250-", "").replace("250 ", "")

    assert offers.split("\n") == [
        "journaling.undeliver.example",
        "PIPELINING",
        "SIZE 1000000",
        "8BITMIME",
        "SMTPUTF8",
    ]


async def test_authentication_is_neither_offered_nor_taken(client, keeper):
    assert (await client.say("AUTH PLAIN AGEAYg==")).startswith("500")
    assert (await client.deliver(MAIL)).startswith("250")


@pytest.mark.parametrize(
    "parameters",
    [
        "",
        " SIZE=1000",
        " SIZE=1000 AUTH=<> BODY=8BITMIME SMTPUTF8",
        " XOORG=contoso.onmicrosoft.com XSHADOW=abc",
        " RET=HDRS ENVID=QQ314159",
        " SIZE=abc",
        " BODY",
    ],
)
async def test_unknown_parameters_of_the_sender_are_ignored(client, parameters):
    assert (await client.say(f"MAIL FROM:<{SENDER}>{parameters}")).startswith("250")


async def test_unknown_parameters_of_a_recipient_are_ignored(client):
    await client.say("MAIL FROM:<>")

    reply = await client.say(f"RCPT TO:<{ACME}> NOTIFY=NEVER ORCPT=rfc822;x@y.example")

    assert reply.startswith("250")


@pytest.mark.parametrize("path", ["<>", " <>", "< >"])
async def test_the_null_sender_is_an_empty_one(client, keeper, path):
    await client.say(f"MAIL FROM:{path}")
    await client.say(f"RCPT TO:<{ACME}>")
    await client.say("DATA")
    await client.send(MAIL + b".\r\n")

    assert (await client.reply()).startswith("250")
    assert keeper.kept[0].mail_from == ""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("<a@b.example>", "a@b.example"),
        ("a@b.example", "a@b.example"),
        ("<@relay.example,@other.example:a@b.example>", "a@b.example"),
        ('<"odd > name"@b.example>', '"odd > name"@b.example'),
        ("<jürgen@bücher.example>", "jürgen@bücher.example"),
    ],
)
async def test_senders_are_read_kindly(client, keeper, path, expected):
    await client.say(f"MAIL FROM:{path} SMTPUTF8")
    await client.say(f"RCPT TO:<{ACME}>")
    await client.say("DATA")
    await client.send(MAIL + b".\r\n")
    await client.reply()

    assert keeper.kept[0].mail_from == expected


async def test_tokens_are_known_in_any_case_and_at_every_journal_domain(client, keeper):
    await client.begin(f"{ACME_TOKEN.upper()}@JOURNAL.eu.undeliver.example")
    await client.send(b".\r\n")

    assert (await client.reply()).startswith("250")
    assert keeper.kept[0].tenants == ("acme",)


@pytest.mark.parametrize(
    ("address", "reply"),
    [
        ("z" * 26 + "@journaling.undeliver.example", "550 5.1.1"),
        ("bob@contoso.example", "550 5.7.1"),
        ("bob", "550 5.7.1"),
        (ELSEWHERE, "451 4.3.0"),
        (OTHER_REGION, "451 4.3.2"),
    ],
)
async def test_addresses_that_take_no_mail_here_say_so(client, address, reply):
    await client.say("MAIL FROM:<>")

    assert (await client.say(f"RCPT TO:<{address}>")).startswith(reply)
    assert (await client.say("DATA")).startswith("503")


@pytest.mark.parametrize(
    "address",
    [
        "postmaster@journaling.undeliver.example",
        "Postmaster",
        "validation@journal.eu.undeliver.example",
    ],
)
async def test_open_mailboxes_take_mail_for_no_tenant(client, keeper, address):
    await client.begin(address)
    await client.send(b".\r\n")

    assert (await client.reply()).startswith("250")
    assert keeper.kept[0].tenants == (None,)


async def test_a_message_for_two_tenants_is_kept_for_both_and_once_for_each(client, keeper):
    await client.deliver(MAIL, ACME, GLOBEX, ACME)

    assert keeper.kept[0].tenants == ("acme", "globex")


async def test_guessing_tokens_ends_the_connection(client):
    await client.say("MAIL FROM:<>")
    replies = [
        await client.say(f"RCPT TO:<{number:026}@journaling.undeliver.example>")
        for number in range(20)
    ]

    assert all(reply.startswith("550") for reply in replies)
    assert (await client.reply()).startswith("421 4.7.0")
    assert await client.is_closed()


async def test_too_many_recipients_are_to_come_separately(client):
    await client.say("MAIL FROM:<>")
    for _ in range(5):
        await client.say(f"RCPT TO:<{ACME}>")

    assert (await client.say(f"RCPT TO:<{ACME}>")).startswith("452 4.5.3")
    assert (await client.say("DATA")).startswith("354")


@pytest.mark.parametrize(
    ("commands", "code"),
    [
        (["RCPT TO:<a@b.example>"], "503"),
        (["DATA"], "503"),
        (["MAIL FROM:<>", "MAIL FROM:<>"], "503"),
        (["MAIL FROM"], "501"),
        (["MAIL"], "501"),
        (["MAIL FROM:<a@b.example"], "501"),
        (["MAIL FROM:<>", "RCPT TO:"], "501"),
        (["MAIL FROM:<>", f"RCPT TO:<{ACME}>", "DATA now"], "501"),
        (["NONSENSE"], "500"),
        (["STARTTLS"], "454"),
    ],
)
async def test_a_wrong_command_costs_nothing_but_itself(client, commands, code):
    replies = [await client.say(command) for command in commands]

    assert replies[-1].startswith(code)
    await client.say("RSET")
    assert (await client.deliver(MAIL)).startswith("250")


async def test_a_client_has_to_say_who_it_is(listener):
    async with Client.connect(listener.port, greet=False) as client:
        await client.reply()

        assert (await client.say("MAIL FROM:<>")).startswith("503")
        assert (await client.say("HELO old.example")).startswith("250")
        assert (await client.deliver(MAIL)).startswith("250")


async def test_chunking_is_refused_and_the_session_goes_on(client, keeper):
    await client.say("MAIL FROM:<>")
    await client.say(f"RCPT TO:<{ACME}>")

    assert (await client.say("BDAT 86 LAST"))[:2] == "50"
    await client.say("RSET")
    assert (await client.deliver(MAIL)).startswith("250")
    assert keeper.contents == [MAIL]


async def test_everything_may_be_pipelined(client, keeper):
    transaction = f"MAIL FROM:<>\r\nRCPT TO:<{ACME}>\r\nDATA\r\n".encode()

    await client.send(transaction + MAIL + b".\r\n" + transaction + b"second\r\n.\r\nQUIT\r\n")
    replies = [(await client.reply())[:3] for _ in range(9)]

    assert replies == ["250", "250", "354", "250", "250", "250", "354", "250", "221"]
    assert keeper.contents == [MAIL, b"second\r\n"]


async def test_an_ordinary_client_delivers(keeper):
    import asyncio

    def deliver(port):
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
            smtp.sendmail(SENDER, [ACME], ".\r\n..dots\r\n")
            smtp.sendmail(SENDER, [ACME], "again\r\n")

    async with listening(keeper) as listener:
        await asyncio.to_thread(deliver, listener.port)

    assert keeper.contents == [b".\r\n..dots\r\n", b"again\r\n"]
