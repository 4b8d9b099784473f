"""`undeliver ingest parse`, as scripts call it."""

import json
import subprocess
import sys

import pytest

from services.__main__ import main
from tests.ingest.reports import report

pytestmark = pytest.mark.usefixtures("own_logging")

FIELDS = [
    "file",
    "kind",
    "format",
    "sender",
    "on_behalf_of",
    "subject",
    "message_id",
    "recipients",
    "original",
    "message_key",
    "report_key",
    "flags",
    "extras",
]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "report.eml"
    path.write_bytes(report())
    return path


def parsed(capsys, *words):
    code = main(["ingest", "parse", *map(str, words), "--json"])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_each_file_is_one_line_of_json_with_all_fields(capsys, file):
    code, (first, second) = parsed(capsys, file, file)

    assert code == 0
    assert first == second
    assert list(first)[: len(FIELDS)] == FIELDS
    assert first["file"] == str(file)
    assert first["recipients"] == [
        {
            "address": "bob@contoso.example",
            "role": "recipient",
            "expanded_from": None,
            "forwarded_from": None,
        }
    ]
    assert set(first["original"]) == {"sha256", "size_bytes", "offset"}


def test_a_file_that_cannot_be_read_is_an_error_and_the_others_are_parsed(capsys, file, tmp_path):
    code, (missing, found) = parsed(capsys, tmp_path / "gone.eml", file)

    assert code == 1
    assert missing == {"file": str(tmp_path / "gone.eml"), "error": "No such file or directory"}
    assert found["kind"] == "journal"


def test_the_tenant_enters_the_keys(capsys, file):
    _, (without,) = parsed(capsys, file)
    _, (with_tenant,) = parsed(capsys, file, "--tenant", "acme")

    assert without["message_key"] != with_tenant["message_key"]
    assert without["report_key"] != with_tenant["report_key"]
    assert len(without["report_key"]) == 64


def test_a_file_with_unix_line_ends_is_read_as_smtp_carries_it(capsys, file):
    _, (carried,) = parsed(capsys, file)
    file.write_bytes(report().replace(b"\r\n", b"\n"))
    _, (stored,) = parsed(capsys, file)

    assert stored == carried


def test_a_file_with_any_crlf_is_read_byte_for_byte(capsys, file):
    file.write_bytes(b"From: a@x.example\nSubject: x\n\nbody\r\n")
    _, (found,) = parsed(capsys, file)

    assert found["original"]["size_bytes"] == file.stat().st_size
    assert found["flags"] == ["bare-lf", "not-a-journal"]


def test_people_get_a_table(capsys, file):
    assert main(["ingest", "parse", str(file)]) == 0

    out = capsys.readouterr().out
    assert "alice@fabrikam.example" in out
    assert "{" not in out


def test_parsing_needs_no_server_and_no_database(file):
    program = (
        "import sys; from services.__main__ import main; main(sys.argv[1:]);"
        "assert not {'aiosmtpd', 'asyncpg'} & set(sys.modules)"
    )

    subprocess.run(
        [sys.executable, "-c", program, "ingest", "parse", str(file), "--json"],
        check=True,
        capture_output=True,
    )


@pytest.mark.parametrize("words", [["ingest"], ["ingest", "parse"], ["ingest", "backfill"]])
def test_wrong_usage_exits_2(words, capsys):
    with pytest.raises(SystemExit) as raised:
        main(words)

    assert raised.value.code == 2


def test_running_without_settings_names_what_is_missing(capsys, monkeypatch):
    monkeypatch.delenv("INGEST_POSTGRES_DSN", raising=False)

    assert main(["ingest", "run"]) == 2
    assert "INGEST_POSTGRES_DSN: is not set" in capsys.readouterr().err
