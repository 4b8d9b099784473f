"""How people's commands connect: by the environment, or by a file in the folder of an `up`."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from libs.common.broker.opening import BrokerAddress
from libs.common.errors import ConfigurationError, StartError
from libs.common.settings import AmqpUrl, PostgresDsn, read_settings

_FILE = "instance.json"


class CliSettings(BaseSettings):
    """What people's commands read from the environment: a publisher of their own."""

    model_config = SettingsConfigDict(
        env_prefix="CLI_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    #: Role `undeliver_cli`, never a service's.
    postgres_dsn: PostgresDsn | None = None
    #: User `cli`, or an upstream publisher's own, never a service's; absent: the Postgres queue.
    amqp_url: AmqpUrl | None = None


@dataclass(frozen=True, slots=True)
class Instance:
    """Where a running `up` can be reached."""

    pid: int
    #: For role `undeliver_cli`; without a password, since only its owner may enter the socket.
    cli_postgres_dsn: str
    smtp_port: int
    http_port: int


@dataclass(frozen=True, slots=True)
class CliConnection:
    """What a command needs to publish and to read. At least one of the two is there."""

    _postgres_dsn: str | None = field(repr=False)
    _amqp_url: str | None = field(default=None, repr=False)

    @property
    def broker(self) -> BrokerAddress:
        """Where to publish, as the person's own publisher."""
        return BrokerAddress(postgres_dsn=self._postgres_dsn, amqp_url=self._amqp_url)

    @property
    def postgres_dsn(self) -> str:
        """Where to read.

        Raises:
            ConfigurationError: only RabbitMQ's address is known.
        """
        if self._postgres_dsn is None:
            raise ConfigurationError(
                "CLI_POSTGRES_DSN: is not set, and what is asked for is read from the database; "
                "set this environment variable: postgresql://undeliver_cli@host/database"
            )
        return self._postgres_dsn


def default_data_folder() -> Path:
    """Return where `up` keeps its data unless told otherwise: for root below /var/lib."""
    if os.geteuid() == 0:
        return Path("/var/lib/undeliver")
    return Path.home() / ".local" / "share" / "undeliver"


def announce(data_folder: Path, instance: Instance) -> None:
    """Write the file, readable by its owner only; replaces that of an earlier run."""
    path = data_folder / _FILE
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(instance), file)
    fresh.replace(path)


def withdraw(data_folder: Path) -> None:
    """Remove the file: nobody is at home."""
    (data_folder / _FILE).unlink(missing_ok=True)


def running(data_folder: Path) -> Instance | None:
    """Return the `up` that runs on this folder, or None."""
    try:
        instance = Instance(**json.loads((data_folder / _FILE).read_text(encoding="utf-8")))
        os.kill(instance.pid, 0)
    except (OSError, ValueError, TypeError):
        return None
    return instance


def cli_connection(data_folder: Path | None = None) -> CliConnection:
    """Return how a person's command connects: by `CLI_…`, else to the running `up`.

    `--data` goes before the environment.

    Raises:
        ConfigurationError: `CLI_AMQP_URL` or `CLI_POSTGRES_DSN` is no address.
        StartError: neither is there, nor does an `up` run.
    """
    given = read_settings(CliSettings)
    if data_folder is None and (given.postgres_dsn or given.amqp_url):
        return CliConnection(_value(given.postgres_dsn), _value(given.amqp_url))
    folder = data_folder or default_data_folder()
    instance = running(folder)
    if instance is None:
        raise StartError(
            f"no undeliver runs on {folder}: start `undeliver up --data {folder}`, name its folder "
            "with --data, or set CLI_AMQP_URL and CLI_POSTGRES_DSN"
        )
    return CliConnection(instance.cli_postgres_dsn)


def _value(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
