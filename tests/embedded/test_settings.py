"""What `undeliver up` reads besides the configuration file."""

import pytest

from libs.common.errors import ConfigurationError
from services.embedded.app import Tunings
from services.embedded.settings import Settings


@pytest.fixture(autouse=True)
def no_settings_of_ours(monkeypatch):
    for name in ("UNDELIVER_CONFIG", "UNDELIVER_PG_BIN", "UNDELIVER_HTTP_PORT"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CLASSIFIER_WORKERS", "0"),
        ("CLASSIFIER_DNS_TIMEOUT_SECONDS", "soon"),
        ("RETRACTOR_GRAPH_URL", "graph.microsoft.com"),
        ("RETRACTOR_POLL_SECONDS", "-1"),
    ],
)
def test_a_wrong_variable_of_any_service_is_named_without_its_value(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigurationError, match=f"^{variable}: ") as refusal:
        Tunings.from_environment()

    assert value not in str(refusal.value).removeprefix(variable)


def test_the_probes_answer_on_loopback_unless_told_otherwise():
    settings = Settings()

    assert (settings.http_host, settings.http_port) == ("127.0.0.1", 8080)
