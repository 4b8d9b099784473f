"""Settings from the environment."""

from pathlib import Path

import pytest
from pydantic_settings import SettingsConfigDict

from libs.common.errors import ConfigurationError
from libs.common.settings import ServiceSettings, configuration_path, read_settings


class IngestLikeSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="INGEST_")

    size_limit_bytes: int = 1000


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("UNDELIVER_CONFIG", "INGEST_POSTGRES_DSN", "INGEST_HTTP_PORT"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch.setenv


def test_a_service_reads_its_own_prefix_and_the_common_file(environment):
    environment("INGEST_POSTGRES_DSN", "postgresql://u:hunter2@db/x")
    environment("INGEST_SIZE_LIMIT_BYTES", "5")
    environment("UNDELIVER_CONFIG", "/etc/undeliver.yaml")
    environment("CONFIG", "/wrong.yaml")

    settings = read_settings(IngestLikeSettings)

    assert settings.postgres_dsn.get_secret_value() == "postgresql://u:hunter2@db/x"
    assert settings.size_limit_bytes == 5
    assert settings.http_port == 0
    assert settings.config == Path("/etc/undeliver.yaml")
    assert "hunter2" not in repr(settings)


def test_a_composition_gives_values_instead(environment):
    environment("INGEST_POSTGRES_DSN", "postgresql://other")

    settings = IngestLikeSettings(postgres_dsn="postgresql://own", config="/own.yaml")

    assert settings.postgres_dsn.get_secret_value() == "postgresql://own"
    assert settings.config == Path("/own.yaml")


def test_each_wrong_variable_is_named_and_none_is_quoted(environment):
    environment("INGEST_HTTP_PORT", "hunter2")

    with pytest.raises(ConfigurationError) as caught:
        read_settings(IngestLikeSettings)

    lines = str(caught.value).splitlines()
    assert lines[0] == "INGEST_POSTGRES_DSN: is not set; set this environment variable"
    assert lines[1].startswith("INGEST_HTTP_PORT: ")
    assert "hunter2" not in str(caught.value)


def test_the_configuration_named_on_the_command_line_wins(environment):
    assert configuration_path(None) is None

    environment("UNDELIVER_CONFIG", "/etc/undeliver.yaml")

    assert configuration_path(None) == Path("/etc/undeliver.yaml")
    assert configuration_path(Path("other.yaml")) == Path("other.yaml")
