"""`undeliver classifier`, as people and scripts run it."""

import json
import logging
import sys
import threading
import warnings

import pytest
import structlog

from services.__main__ import main
from tests.classifier.letters import letter, report

KEYS = ["file", "disposition", "attributes", "score", "retractable", "reasons"]


@pytest.fixture
def folder(tmp_path):
    below = tmp_path / "mail" / "below"
    below.mkdir(parents=True)
    (below.parent / "a-bad").write_bytes(letter(attachments=(("a.exe", b"x"),)))
    (below.parent / "z.eml").write_bytes(letter())
    (below / "broken.bin").write_bytes(b"\0\1\2")
    return below.parent


@pytest.fixture(autouse=True)
def own_process(monkeypatch):
    """Keep what a command sets for its process from the tests that follow."""
    monkeypatch.delenv("UNDELIVER_CONFIG", raising=False)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    hooks = threading.excepthook, sys.unraisablehook, warnings.showwarning
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    threading.excepthook, sys.unraisablehook, warnings.showwarning = hooks


def classify(capsys, *words) -> tuple[int, list[dict]]:
    code = main(["classifier", *map(str, words), "--json"])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_every_file_of_a_folder_has_a_line_in_order(folder, capsys):
    code, rows = classify(capsys, "classify", folder)

    assert code == 0
    assert [list(row) for row in rows] == [KEYS] * 3
    names = [row["file"].removeprefix(f"{folder}/") for row in rows]
    assert names == ["a-bad", "below/broken.bin", "z.eml"]
    assert [row["disposition"] for row in rows] == ["malicious", "suspicious", "none"]
    assert [row["retractable"] for row in rows] == [True, False, True]
    assert rows[0]["attributes"] == ["executable"]
    assert rows[0]["reasons"][0]["code"] == "executable"
    assert all(isinstance(row["score"], float) and 0 <= row["score"] <= 1 for row in rows)


def test_files_come_in_the_order_of_the_command_line(folder, capsys):
    paths = [folder / "z.eml", folder / "a-bad", folder / "z.eml"]

    _, rows = classify(capsys, "classify", *paths)

    assert [row["file"] for row in rows] == [str(path) for path in paths]


def test_a_file_that_is_not_there_has_an_error_and_the_others_a_verdict(folder, capsys):
    code, rows = classify(capsys, "classify", folder / "none", folder / "z.eml")

    assert code == 1
    assert rows[0] == {"file": str(folder / "none"), "error": "No such file or directory"}
    assert rows[1]["disposition"] == "none"


def test_people_get_a_table_with_the_first_reason(folder, capsys):
    assert main(["classifier", "classify", str(folder)]) == 0

    shown = capsys.readouterr().out
    assert "malicious" in shown
    assert "executable" in shown


def test_a_tenant_of_the_configuration_brings_its_people_and_domains(folder, tmp_path, capsys):
    path = folder / "boss"
    path.write_bytes(letter(sender="Daniel Fischer <x@freemail.example>"))
    config = tmp_path / "undeliver.yaml"
    config.write_text(CONFIG)

    _, (without,) = classify(capsys, "classify", path)
    _, (within,) = classify(capsys, "classify", path, "--config", config, "--tenant", "acme")

    assert (without["disposition"], within["disposition"]) == ("none", "spoof")


def test_a_tenant_that_is_not_there_is_the_operators_mistake(folder, tmp_path, capsys):
    config = tmp_path / "undeliver.yaml"
    config.write_text(CONFIG)

    assert (
        main(["classifier", "classify", str(folder), "--config", str(config), "--tenant", "x"]) == 2
    )
    assert "--tenant" in capsys.readouterr().err


def test_microsofts_headers_in_plain_files_count_only_when_asked(folder, capsys):
    path = folder / "stamped"
    path.write_bytes(letter(headers=(("X-Forefront-Antispam-Report", "SCL:9;CAT:PHSH;"),)))

    _, (plain,) = classify(capsys, "classify", path)
    _, (trusted,) = classify(capsys, "classify", path, "--trust-receiver")

    assert (plain["disposition"], trusted["disposition"]) == ("none", "malicious")


def test_a_journal_report_is_unwrapped_and_its_message_judged(folder, capsys):
    path = folder / "report"
    path.write_bytes(report(letter("hello", attachments=(("a.exe", b"x"),))))

    _, (row,) = classify(capsys, "classify", path)

    assert (row["disposition"], row["reasons"][0]["code"]) == ("malicious", "executable")


def test_explain_unwraps_a_report_too(folder, capsys):
    path = folder / "report"
    path.write_bytes(report(letter(headers=(("X-Forefront-Antispam-Report", "CAT:PHSH;"),))))

    assert main(["classifier", "explain", str(path)]) == 0
    assert "microsoft_harmful (harm 6" in capsys.readouterr().out


def test_explain_shows_the_way_to_the_verdict(folder, capsys):
    assert main(["classifier", "explain", str(folder / "a-bad")]) == 0

    shown = capsys.readouterr().out
    assert shown.startswith("malicious, score ")
    assert "executable (harm 8, decides): “a.exe” starts a program" in shown


CONFIG = """
service_domain: journal.example
tenants:
  - id: acme
    microsoft_tenant_id: 00000000-0000-0000-0000-000000000001
    domains: [northwind.example]
    journal: {token: abcdefghijklmnopqrstuvwxyz}
    graph: {client_id: x, workload_identity: true}
    protected_people: [{name: Daniel Fischer, addresses: [dan@northwind.example]}]
"""
