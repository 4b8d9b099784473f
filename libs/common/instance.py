"""How people's commands find a running `undeliver up`: a small file in its data folder."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from libs.common.errors import StartError
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
    """What a command needs to publish and to read."""

    postgres_dsn: str


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
    """Return how a person's command connects: `CLI_POSTGRES_DSN`, else the running `up`.

    Raises:
        ConfigurationError: `CLI_POSTGRES_DSN` is no address of a database.
        StartError: neither is there.
    """
    given = read_settings(CliSettings).postgres_dsn
    if given is not None and data_folder is None:
        return CliConnection(given.get_secret_value())
    folder = data_folder or default_data_folder()
    instance = running(folder)
    if instance is None:
        raise StartError(
            f"no undeliver runs on {folder}: start `undeliver up --data {folder}`, name its folder "
            "with --data, or set CLI_POSTGRES_DSN"
        )
    return CliConnection(instance.cli_postgres_dsn)
