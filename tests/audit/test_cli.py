"""What auditors type, and what they get."""

import argparse
import json
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE

import pytest

from libs.common.contracts.mail import MailClassified
from services.audit.cli import add_arguments
from services.audit.cli.commands import COMMANDS
from tests.audit.messages import MAILBOX, RETRACTION_ID, copy_settled, delivery, entry, retract

KEY = "ab" * 32
OTHER_RETRACTION = "5d0ad9a4-51e5-4c60-9a52-f2c7f9bb1b7e"


@pytest.fixture
def audit(database, capsys, monkeypatch):
    """Give the command line: returns exit code and JSON lines, or text."""
    monkeypatch.setenv("CLI_POSTGRES_DSN", database.dsn_for("cli"))

    async def call(*words, as_json=True):
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        capsys.readouterr()
        arguments = parser.parse_args([*words, *(["--json"] if as_json else [])])
        code = await COMMANDS[arguments.command](arguments)
        output = capsys.readouterr().out
        return code, [json.loads(line) for line in output.splitlines()] if as_json else output

    return call


def classified(retraction_id=None):
    return MailClassified(
        tenant="acme",
        report_key="cd" * 32,
        message_key=KEY,
        internet_message_id="<one@evil.example>",
        disposition="malicious",
        score=0.9,
        action="soft_delete",
        retraction_id=retraction_id,
        policy_version="1",
    )


@pytest.fixture
async def story(log):
    """Record a verdict, the retraction that it asked for, two copies, and what is unrelated."""
    mail = {"correlation_id": "report-1"}
    await log.record(
        [
            entry(delivery(classified(RETRACTION_ID), "classifier", **mail)),
            entry(delivery(retract(message_key=KEY), "classifier", message_id="cmd", **mail)),
        ]
    )
    await log.record(
        [
            entry(delivery(copy_settled(), "retractor", **mail)),
            entry(delivery(copy_settled(mailbox="zoe@acme.example"), "retractor", **mail)),
            entry(delivery(copy_settled("globex"), "retractor", correlation_id="report-1")),
            entry(
                delivery(
                    retract(
                        retraction_id=OTHER_RETRACTION,
                        mailboxes=("x@acme.example",),
                        internet_message_id=None,
                    ),
                    "stranger",
                )
            ),
        ]
    )


def places(rows):
    return [f"{row['chain']}/{row['number']}" for row in rows]


SEARCHES = [
        ([], {"acme/1", "acme/2", "acme/3", "acme/4", "acme/5", "globex/1"}),
        (["--tenant", "globex"], {"globex/1"}),
        (["--section", "retract"], {"acme/2", "acme/3", "acme/4", "acme/5", "globex/1"}),
        (["--type", "copy.settled.v1", "--tenant", "acme"], {"acme/3", "acme/4"}),
        (["--mailbox", MAILBOX.upper()], {"acme/2", "acme/3", "globex/1"}),
        (["--mailbox", MAILBOX, "--section", "classify"], set()),
        (["--person", "alice@ACME.example"], {"acme/2", "acme/5"}),
        (["--person", "alice@acme.example", "--mailbox", MAILBOX], {"acme/2"}),
        (["--message-id", "<one@evil.example>", "--tenant", "acme"],
         {"acme/1", "acme/2", "acme/3", "acme/4"}),
        (["--message-key", KEY], {"acme/1", "acme/2"}),
        (["--retraction", OTHER_RETRACTION.upper()], {"acme/5"}),
        (["--disposition", "malicious"], {"acme/1"}),
        (["--outcome", "moved", "--tenant", "acme"], {"acme/3", "acme/4"}),
        (["--publisher", "stranger"], {"acme/5"}),
        (["--flag", "not_authorised"], {"acme/5"}),
        (["--since", "2026-01-05T09:00:00Z"],
         {"acme/1", "acme/2", "acme/3", "acme/4", "acme/5", "globex/1"}),
        (["--until", "2026-01-05T09:00:00Z"], set()),
        (["--limit", "1", "--tenant", "acme"], {"acme/5"}),
    ]  # fmt: skip


async def test_search_finds_what_meets_all_that_is_asked(audit, story):
    for words, found in SEARCHES:
        code, rows = await audit("search", *words)

        assert (code, set(places(rows))) == (0, found), words


async def test_search_shows_nothing_personal(audit, story):
    _, text = await audit("search", as_json=False)
    _, rows = await audit("search")

    assert "acme/2" in text
    assert "destination soft_delete" in text
    for shown in (text, json.dumps(rows)):
        assert MAILBOX not in shown
        assert "alice" not in shown.lower()


async def test_show_gives_the_whole_body_to_whoever_asks_for_it(audit, story):
    code, (row,) = await audit("show", "acme/2", "--personal")

    assert code == 0
    assert row["body"]["requested_by"] == "Alice@acme.example"
    assert row["body"] == json.loads(retract(message_key=KEY).body())
    assert len(row["row_hash"]) == 64


async def test_show_gives_people_a_line_for_each_field(audit, story):
    _, text = await audit("show", "acme/2", "--personal", as_json=False)

    assert "body: requested by" in text
    assert "body: reason" in text


async def test_show_keeps_what_is_personal_back_otherwise(audit, story):
    _, (row,) = await audit("show", "cmd")

    assert (row["message_id"], row["public"]["destination"]) == ("cmd", "soft_delete")
    assert MAILBOX not in json.dumps(row)


async def test_show_of_an_erased_record_says_so(audit, story, audit_pool):
    await audit_pool.execute("delete from personal")

    _, (row,) = await audit("show", "acme/2", "--personal")

    assert (row["erased"], row["body"]) == (True, None)


async def test_show_of_a_body_that_was_not_understood(audit, log):
    await log.record([entry(delivery(retract(), body=b"{\xff", message_id="odd"))])

    _, (row,) = await audit("show", "odd", "--personal")

    assert (row["body"], row["public"], row["flags"]) == ("{\\xff", None, ["contract_violated"])


async def test_show_of_no_record_fails(audit, story):
    assert await audit("show", "acme/99") == (1, [])
    assert await audit("show", "acme/2", "--tenant", "globex") == (1, [])


@pytest.mark.parametrize(
    "words",
    [
        ["--retraction", RETRACTION_ID],
        ["--message-id", "<one@evil.example>"],
        ["--message-key", KEY],
    ],
    ids=lambda words: words[0],
)
async def test_a_timeline_follows_causes_and_effects_within_its_tenant(words, audit, story):
    code, rows = await audit("timeline", *words, "--tenant", "acme")

    assert code == 0
    assert places(rows) == ["acme/1", "acme/2", "acme/3", "acme/4"]


async def test_verify_of_an_intact_record(audit, story):
    code, (report,) = await audit("verify")

    assert (code, report["verified"], report["records"]) == (0, True, 6)
    assert [(each["chain"], each["head_number"]) for each in report["chains"]] == [
        ("acme", 5),
        ("globex", 1),
    ]


async def test_verify_of_a_broken_record_names_the_place(audit, story, superuser):
    await superuser.execute("delete from log where chain = 'acme' and number = 3")

    code, (report,) = await audit("verify")
    _, text = await audit("verify", as_json=False)

    assert (code, report["verified"]) == (1, False)
    assert report["chains"][0]["broken_at"] == 3
    assert report["chains"][0]["difference"] == "number_missing"
    assert "NOT INTACT" in text


async def test_verify_of_an_unknown_chain_fails(audit, story):
    assert await audit("verify", "--tenant", "nobody") == (1, [])


async def test_export_prints_records_and_heads(audit, story):
    code, lines = await audit("export", "--tenant", "globex")

    assert code == 0
    assert lines[0]["properties"]["number"] == 1
    assert lines[0]["personal"] is None
    assert lines[1]["head"]["row_hash"] == lines[0]["row_hash"]


async def test_tail_prints_the_latest_oldest_first(audit, story):
    _, rows = await audit("tail", "--limit", "2", "--tenant", "acme")

    assert places(rows) == ["acme/4", "acme/5"]


async def test_the_installed_command_verifies_in_a_process_of_its_own(story, database):
    environment = {"CLI_POSTGRES_DSN": database.dsn_for("cli"), "PATH": ""}
    command = (sys.executable, "-m", "services", "audit", "verify", "--json")
    process = await create_subprocess_exec(*command, env=environment, stdout=PIPE)
    output, _ = await process.communicate()

    assert process.returncode == 0
    assert json.loads(output)["verified"] is True


async def test_a_database_without_a_record_is_said_in_one_sentence(database):
    environment = {"CLI_POSTGRES_DSN": database.dsn_for("cli"), "PATH": ""}
    command = (sys.executable, "-m", "services", "audit", "search")
    process = await create_subprocess_exec(*command, env=environment, stdout=PIPE, stderr=PIPE)
    _, errors = await process.communicate()

    assert process.returncode == 1
    assert b"has the audit service ever run" in errors
    assert b"Traceback" not in errors
