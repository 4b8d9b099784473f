"""Object stores for the tests of `libs.common.blobs`."""

import os

import pytest

from tests.services import object_stores
from tests.services.choice import UnavailableError
from tests.services.npm_packages import NoNpmError


@pytest.fixture(scope="session")
def s3_server():
    with object_stores.s3() as server:
        yield server


@pytest.fixture(scope="session")
def azure_server():
    try:
        manager = object_stores.azure()
        server = manager.__enter__()
    except NoNpmError as error:
        pytest.skip(f"azurite: {error}")
    except UnavailableError as error:
        (pytest.fail if os.environ.get("CI", "").lower() == "true" else pytest.skip)(
            f"azurite: {error}"
        )
    yield server
    manager.__exit__(None, None, None)


@pytest.fixture
def credentials(monkeypatch):
    """Give what puts a server's credentials, and no others, into the environment."""

    def put(environment):
        for name in [name for name in os.environ if name.startswith(("AWS_", "AZURE_"))]:
            monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    return put


@pytest.fixture
def s3(s3_server, credentials):
    """Give an S3 whose credentials are in the environment."""
    credentials(s3_server.environment)
    return s3_server


@pytest.fixture
def azure(azure_server, credentials):
    """Give an Azure Blob Storage whose credentials are in the environment."""
    credentials(azure_server.environment)
    return azure_server
