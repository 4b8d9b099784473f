"""Known ways in which SMTP servers on aiosmtpd lose mail or break Exchange Online, by number.

Each has a test somewhere, named here; those without another home are below.
"""

import importlib

import pytest
from aiosmtpd.smtp import SMTP

from tests.ingest.listening import ACME, SENDER, Client, connected, listening

MAIL = b"Subject: hello\r\n\r\nhello\r\n"

#: What stock behaviour does, and the tests that it is not ours.
FAULTS = {
    "1: a line of more than 1001 octets is refused for good": [
        "test_smtp_transparency.test_lines_of_any_length_are_taken",
    ],
    "2: unknown parameters are refused, and AUTH is offered after STARTTLS": [
        "test_smtp_dialogue.test_unknown_parameters_of_the_sender_are_ignored",
        "test_smtp_dialogue.test_unknown_parameters_of_a_recipient_are_ignored",
        "test_smtp_dialogue.test_authentication_is_neither_offered_nor_taken",
        "test_starttls.test_encrypted_nothing_is_offered_less_and_nothing_more",
    ],
    "3: an exception is answered with 500 and its text": [
        "test_smtp_failures.test_what_cannot_be_kept_is_to_come_again",
        "test_smtp_failures.test_an_error_in_the_session_itself_leaves_it_usable",
    ],
    "4: after an exception the transaction stays": [
        "test_smtp_failures.test_an_error_after_the_message_leaves_no_transaction_behind",
    ],
    "5: a slow transfer, or a slow confirm, is cut off": [
        "test_smtp_failures.test_a_slow_client_that_gets_on_is_not_cut_off",
        "test_smtp_failures.test_keeping_a_message_may_take_longer_than_a_client_may_be_idle",
        "test_starttls_failures.test_an_encrypted_client_that_gets_on_slowly_is_not_cut_off",
    ],
    "6: a client that leaves takes its message with it": [
        "test_smtp_failures.test_a_client_that_leaves_after_the_end_has_its_message_kept_once",
        "test_starttls_failures.test_a_client_that_leaves_after_the_end_has_its_message_kept_once",
    ],
    "7: 32 MiB are too much": [
        "test_smtp_known_faults.test_what_exchange_sends_at_most_is_not_too_large",
        "test_smtp_failures.test_a_size_above_the_limit_is_refused_at_the_end",
    ],
    "8: the null sender is `<>`, and brackets are optional": [
        "test_smtp_dialogue.test_the_null_sender_is_an_empty_one",
        "test_smtp_dialogue.test_senders_are_read_kindly",
    ],
    "9: limits of commands are shared by all connections": [
        "test_smtp_known_faults.test_what_one_connection_says_changes_no_limit_of_another",
    ],
    "10: BDAT and BINARYMIME, never offered": [
        "test_smtp_dialogue.test_chunking_is_refused_and_the_session_goes_on",
        "test_smtp_known_faults.test_binary_mail_is_not_taken_for_text",
    ],
    "11: PIPELINING works, and is not offered": [
        "test_smtp_dialogue.test_what_is_offered_is_what_is_kept",
        "test_smtp_dialogue.test_everything_may_be_pipelined",
        "test_starttls.test_everything_may_be_pipelined_in_one_encrypted_record",
    ],
    "12: after STARTTLS a client has to say EHLO again, and may forget it": [
        "test_starttls.test_what_was_said_in_the_clear_is_forgotten",
        "test_starttls.test_what_comes_behind_starttls_in_the_clear_is_never_obeyed",
    ],
    "13: what only looks like the end is data": [
        "test_smtp_transparency.test_what_only_looks_like_the_end_smuggles_nothing_in",
    ],
    "14: no limit of connections, commands or recipients; the banner names a version": [
        "test_smtp_dialogue.test_the_banner_names_no_version",
        "test_smtp_dialogue.test_too_many_recipients_are_to_come_separately",
        "test_smtp_failures.test_beyond_the_limit_connections_are_to_come_again",
        "test_smtp_known_faults.test_commands_without_a_message_end_the_connection",
        "test_smtp_known_faults.test_commands_that_nobody_knows_end_the_connection",
        "test_smtp_known_faults.test_messages_never_end_the_connection",
    ],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_tests(fault):
    for named in FAULTS[fault]:
        module, name = named.split(".")
        assert callable(getattr(importlib.import_module(f"tests.ingest.{module}"), name))


def test_what_exchange_sends_at_most_is_not_too_large():
    from services.ingest.settings import Tuning

    assert Tuning().smtp_message_bytes > 157_286_400  # what its own endpoints offer as SIZE


async def test_what_one_connection_says_changes_no_limit_of_another(keeper):
    shared = dict(SMTP.command_size_limits)
    long_sender = f"MAIL FROM:<{SENDER}> X={'x' * 5000}"
    async with (
        listening(keeper) as listener,
        Client.connect(listener.port) as first,
        Client.connect(listener.port) as second,
    ):
        for _ in range(50):
            await first.say("EHLO again.example")
        async with Client.connect(listener.port):
            assert (await second.say(long_sender)).startswith("250")
        assert (await first.say(long_sender)).startswith("250")
        assert (await first.say("NOOP " + "x" * 9000)).startswith("500")

    assert dict(SMTP.command_size_limits) == shared


@pytest.mark.parametrize("parameter", ["BODY=BINARYMIME", "body=binarymime SIZE=10"])
async def test_binary_mail_is_not_taken_for_text(client, keeper, parameter):
    assert (await client.say(f"MAIL FROM:<> {parameter}")).startswith("501")
    assert (await client.deliver(MAIL)).startswith("250")


@pytest.mark.parametrize("command", ["NOOP", "RSET", "EHLO x", "VRFY x", "STARTTLS", "MAIL FROM"])
async def test_commands_without_a_message_end_the_connection(client, command):
    replies = [await client.say(command) for _ in range(99)]  # the first was EHLO

    assert not any(reply.startswith("421") for reply in replies)
    assert await client.say(command) == "421 4.7.0 Too many commands, closing"
    assert await client.is_closed()


async def test_commands_that_nobody_knows_end_the_connection(client):
    replies = [await client.say(line) for line in ("GET / HTTP/1.1", "Host: x", "A: b", "", "C")]

    assert all(reply.startswith("500 5.5.2") for reply in replies)
    assert (await client.say("D: e")).startswith("421 4.7.0")
    assert await client.is_closed()


async def test_what_is_pipelined_behind_the_end_is_not_obeyed(client, keeper):
    transaction = f"MAIL FROM:<>\r\nRCPT TO:<{ACME}>\r\nDATA\r\n".encode()

    await client.send(b"QUIT\r\n" + transaction + MAIL + b".\r\n")

    assert (await client.reply()).startswith("221")
    assert await client.rest() == b""
    assert keeper.kept == []


async def test_messages_never_end_the_connection(keeper):
    async with connected(keeper) as client:
        for _ in range(120):
            assert (await client.deliver(MAIL)).startswith("250")
            await client.say("RSET")

    assert len(keeper.kept) == 120


async def test_many_recipients_beyond_the_limit_cost_no_message(keeper):
    async with connected(keeper) as client:
        await client.say("MAIL FROM:<>")
        replies = [(await client.say(f"RCPT TO:<{ACME}>"))[:3] for _ in range(300)]
        assert replies == ["250"] * 5 + ["452"] * 295
        assert (await client.say("DATA")).startswith("354")
        await client.send(MAIL + b".\r\n")
        assert (await client.reply()).startswith("250")


def test_the_stock_library_is_one_without_its_known_holes():
    """CVE-2024-27305 and CVE-2024-34083 were mended in 1.4.5 and 1.4.6."""
    from importlib.metadata import version

    assert tuple(int(part) for part in version("aiosmtpd").split(".")[:3]) >= (1, 4, 6)
