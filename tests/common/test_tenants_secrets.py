"""Secrets by reference."""

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from libs.common.tenants.directory import Directory
from libs.common.tenants.loading import example, parse_configuration
from libs.common.tenants.secrets import (
    MAX_SECRET_BYTES,
    SecretUnavailable,
    missing_secrets,
    resolve,
    resolve_bytes,
    warn_of_missing_secrets,
)


def resolved(reference):
    return resolve(reference, tenant="acme", field="graph.client_secret").get_secret_value()


def secret_file(folder, content, mode=0o600):
    file = folder / "secret"
    file.write_bytes(content)
    file.chmod(mode)
    return f"file:{file}"


@pytest.fixture
def configuration(tmp_path):
    return parse_configuration(example().encode(), "example.yaml", tmp_path)


def test_a_secret_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("ACME_GRAPH_SECRET", "hunter2")

    assert resolved("env:ACME_GRAPH_SECRET") == "hunter2"


def test_a_secret_comes_from_a_file_without_its_last_new_line(tmp_path):
    assert resolved(secret_file(tmp_path, b" hunter2 \r\n")) == " hunter2 "


def test_a_certificate_comes_byte_for_byte(tmp_path):
    content = b"\x30\x82\xff\n"
    reference = secret_file(tmp_path, content)

    secret = resolve_bytes(reference, tenant="acme", field="graph.certificate")

    assert secret.get_secret_value() == content
    assert "x30" not in repr(secret)


def test_a_rotated_file_counts_from_the_next_time_on(tmp_path):
    reference = secret_file(tmp_path, b"old")
    assert resolved(reference) == "old"
    secret_file(tmp_path, b"new")

    assert resolved(reference) == "new"


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda folder: f"file:{folder}/nowhere", "cannot be read (No such file or directory)"),
        (lambda folder: f"file:{folder}", "cannot be read (Is a directory)"),
        (lambda _: "file:/dev/zero", "cannot be read (not a regular file)"),
        (lambda folder: secret_file(folder, b"\n"), "is empty"),
        (lambda folder: secret_file(folder, b"x" * (MAX_SECRET_BYTES + 1)), "is too large"),
        (lambda folder: secret_file(folder, b"hunter2\xff"), "is not text"),
        (lambda _: "env:NOT_SET_ANYWHERE", "environment variable NOT_SET_ANYWHERE is not set"),
    ],
)
def test_what_does_not_resolve_names_tenant_field_and_remedy_but_no_value(tmp_path, make, problem):
    with pytest.raises(SecretUnavailable) as caught:
        resolved(make(tmp_path))

    assert caught.value.reason == "secret_unavailable"
    assert caught.value.detail.startswith("tenant acme: graph.client_secret: ")
    assert problem in caught.value.detail
    assert "hunter2" not in str(caught.value)


def test_a_pipe_that_nobody_writes_holds_nothing_up(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(SecretUnavailable, match="not a regular file"):
        resolved(f"file:{tmp_path}/pipe")


@pytest.mark.parametrize(
    ("mode", "events"), [(0o640, []), (0o644, ["credential_file_world_readable"])]
)
def test_a_file_that_everybody_may_read_is_pointed_out(tmp_path, mode, events):
    with capture_logs() as logs:
        resolved(secret_file(tmp_path, b"hunter2", mode))

    assert [line["event"] for line in logs] == events
    assert "hunter2" not in repr(logs)


def test_every_missing_credential_is_known_at_the_start(configuration, tmp_path, monkeypatch):
    monkeypatch.delenv("ACME_GRAPH_SECRET", raising=False)
    with capture_logs() as logs:
        warn_of_missing_secrets(configuration)

    assert [(line["event"], line["tenant"], line["field"]) for line in logs] == [
        ("tenant_credential_missing", "acme", "graph.client_secret"),
        ("tenant_credential_missing", "globex", "graph.certificate"),
    ]

    monkeypatch.setenv("ACME_GRAPH_SECRET", "hunter2")
    Path(tmp_path / "globex-graph.pem").write_bytes(b"-----BEGIN")

    assert list(missing_secrets(configuration)) == []


def test_tenants_and_publishers_are_found(configuration):
    directory = Directory(configuration)
    acme, globex = configuration.tenants
    token = acme.journal.token

    assert directory.tenant("globex") is globex
    assert directory.tenant("nobody") is None
    assert directory.by_token(token.upper()) is acme
    assert directory.by_token("acme") is None
    assert directory.publisher("soar").destinations == ("junk", "trash", "soft_delete")
    assert directory.publisher("audit") is None


@pytest.mark.parametrize(
    ("domain", "is_ours"),
    [
        ("journaling.undeliver.example", True),
        ("Journaling.Undeliver.Example.", True),
        ("journaling.eu-us.undeliver.example", True),
        ("journaling.eu.undeliver.example", False),
        ("journaling.au-in-us.undeliver.example", True),
        ("journaling.au.undeliver.example", False),
        ("undeliver.example", False),
        ("journaling.undeliver.example.attacker.example", False),
        ("", False),
    ],
)
def test_a_journal_address_counts_where_this_region_is_home_or_backup(
    configuration, domain, is_ours
):
    directory = Directory(configuration)
    acme = configuration.tenants[0]

    found = directory.by_journal_address(f"{acme.journal.token}@{domain}")

    assert found is (acme if is_ours else None)
    assert directory.by_journal_address(acme.journal.token) is None


def test_without_regions_there_is_one_journal_domain(configuration):
    alone = Directory(configuration.model_copy(update={"journal_addresses": ()}))

    assert alone.journal_domains == {"journaling.undeliver.example"}
