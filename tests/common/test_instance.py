import os
import stat
from pathlib import Path

import pytest

from libs.common.errors import ConfigurationError, StartError
from libs.common.instance import Instance, announce, cli_connection, running, withdraw

HERE = Instance(os.getpid(), "postgresql://undeliver_cli@/undeliver?host=/run/u", 2525, 8080)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLI_POSTGRES_DSN", raising=False)
    monkeypatch.delenv("CLI_AMQP_URL", raising=False)


def test_a_command_finds_the_running_instance_by_its_folder(tmp_path: Path) -> None:
    announce(tmp_path, HERE)

    assert cli_connection(tmp_path).postgres_dsn == HERE.cli_postgres_dsn


def test_only_the_owner_may_read_where_the_instance_is(tmp_path: Path) -> None:
    announce(tmp_path, HERE)

    assert stat.S_IMODE((tmp_path / "instance.json").stat().st_mode) == 0o600


def test_an_instance_that_died_without_a_word_is_not_found(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    announce(tmp_path, Instance(child, "postgresql:///", 1, 2))

    assert running(tmp_path) is None
    with pytest.raises(StartError, match="undeliver up --data"):
        cli_connection(tmp_path)


def test_a_withdrawn_instance_is_not_found(tmp_path: Path) -> None:
    announce(tmp_path, HERE)
    withdraw(tmp_path)

    assert running(tmp_path) is None


def test_the_environment_names_the_server_when_no_folder_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLI_POSTGRES_DSN", "postgresql://undeliver_cli@db/undeliver")

    assert cli_connection().postgres_dsn == "postgresql://undeliver_cli@db/undeliver"


def test_on_rabbitmq_a_command_publishes_there_and_reads_from_the_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, dsn = "amqp://soar:p@rabbit/undeliver", "postgresql://undeliver_cli@db/undeliver"
    monkeypatch.setenv("CLI_AMQP_URL", url)
    monkeypatch.setenv("CLI_POSTGRES_DSN", dsn)

    connection = cli_connection()

    assert connection.broker.amqp_url == url
    assert connection.postgres_dsn == dsn
    assert "p@rabbit" not in repr(connection)


def test_whoever_only_publishes_needs_no_database_and_is_told_when_something_is_to_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLI_AMQP_URL", "amqp://soar:hunter2@rabbit/undeliver")

    connection = cli_connection()

    assert connection.broker.publisher == "soar"
    with pytest.raises(ConfigurationError, match=r"^CLI_POSTGRES_DSN: is not set") as raised:
        assert connection.postgres_dsn
    assert "hunter2" not in str(raised.value)


def test_a_folder_that_is_named_goes_before_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CLI_AMQP_URL", "amqp://soar:p@rabbit/undeliver")
    announce(tmp_path, HERE)

    connection = cli_connection(tmp_path)

    assert connection.broker.amqp_url is None
    assert connection.postgres_dsn == HERE.cli_postgres_dsn


@pytest.mark.parametrize(
    "dsn",
    [
        "",
        "db.example",
        "mysql://undeliver_cli:hunter2@db/undeliver",
        "postgresql://undeliver_cli:hunter2@db:five/undeliver",
        "postgresql://[::1/undeliver",
    ],
)
def test_a_wrong_address_is_named_by_its_variable_without_its_value(
    monkeypatch: pytest.MonkeyPatch, dsn: str
) -> None:
    monkeypatch.setenv("CLI_POSTGRES_DSN", dsn)

    with pytest.raises(ConfigurationError, match=r"^CLI_POSTGRES_DSN: is no address") as raised:
        cli_connection()

    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://undeliver_cli:p%40ss@db:5432/undeliver?sslmode=require",
        "postgres://undeliver_cli:p@ss@[::1]:5432/undeliver",
        "postgresql://undeliver_cli@/undeliver?host=/run/undeliver",
        "postgresql://undeliver_cli@one:5432,two:5433/undeliver",
        "postgresql:///undeliver",
        "postgresql://db",
    ],
)
def test_every_address_that_the_driver_reads_is_taken(
    monkeypatch: pytest.MonkeyPatch, dsn: str
) -> None:
    monkeypatch.setenv("CLI_POSTGRES_DSN", dsn)

    assert cli_connection().postgres_dsn == dsn


def test_a_damaged_file_is_no_instance(tmp_path: Path) -> None:
    (tmp_path / "instance.json").write_text("{")

    assert running(tmp_path) is None
