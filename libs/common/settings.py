"""What every service reads from its environment, once, in its `__main__` or `cli`."""

import re
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from libs.common.errors import ConfigurationError

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

_HOST = r"([^:,/?#@\[\]]*|\[[0-9A-Fa-f:.]+\])(:\d+)?"
_AMQP = re.compile(
    r"amqps?://[^:/?#@]+(:[^/?#@]*)?@([^:,/?#@\[\]]+|\[[0-9A-Fa-f:.]+\])(:\d+)?(/[^/?#]*)?(\?[^#]*)?"
)
_POSTGRES = re.compile(rf"postgres(ql)?://([^/?#]*@)?{_HOST}(,{_HOST})*(/[^?#]*)?(\?[^#]*)?")


def _postgres_dsn(secret: SecretStr) -> SecretStr:
    if not _POSTGRES.fullmatch(secret.get_secret_value()):
        raise ValueError("is no address of a database; write postgresql://role@host/database")
    return secret


def _amqp_url(secret: SecretStr) -> SecretStr:
    if not _AMQP.fullmatch(secret.get_secret_value()):
        raise ValueError(
            "is no address of a message broker; write amqp://user:password@host/vhost, amqps:// "
            "for TLS, with %-escapes for what is special in a URL (the default vhost is %2F)"
        )
    return secret


#: Secret, since it may hold a password.
PostgresDsn = Annotated[SecretStr, AfterValidator(_postgres_dsn)]
#: Secret, since it holds a password. Its user is the publisher.
AmqpUrl = Annotated[SecretStr, AfterValidator(_amqp_url)]


class ServiceSettings(BaseSettings):
    """The fields that all services have.

    A service's own class adds its knobs and its prefix, and inherits the rest:
    `model_config = SettingsConfigDict(env_prefix="INGEST_")`.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, hide_input_in_errors=True
    )

    #: Of this service's own role, `postgresql://undeliver_<service>@host/database`.
    postgres_dsn: PostgresDsn
    #: Of this service's own user, `amqp://<service>:…@host/vhost`; absent: the Postgres queue.
    amqp_url: AmqpUrl | None = None
    #: Where raw mail is kept: `file:///absolute/folder`.
    blob_url: str | None = None
    #: Where /healthz, /readyz and /metrics answer.
    http_host: str = "127.0.0.1"
    #: 0 takes a free one, which the log names.
    http_port: Annotated[int, Field(ge=0, le=65535)] = 0
    #: What is less is not written.
    log_level: Level = "INFO"
    #: The configuration file; the same variable for every service.
    config: Annotated[Path | None, Field(validation_alias="UNDELIVER_CONFIG")] = None


class CommandSettings(BaseSettings):
    """What commands that people run read."""

    model_config = SettingsConfigDict(env_prefix="UNDELIVER_", frozen=True, extra="ignore")

    config: Path | None = None


AnySettings = TypeVar("AnySettings", bound=BaseSettings)


def read_settings(kind: type[AnySettings]) -> AnySettings:
    """Return the settings as the environment has them.

    Raises:
        ConfigurationError: names each variable that is missing or wrong, never its value.
    """
    try:
        return kind()
    except ValidationError as error:
        prefix = str(kind.model_config.get("env_prefix", ""))
        problems = error.errors(include_input=False, include_url=False, include_context=False)
        raise ConfigurationError(
            "\n".join(
                f"{_variable(prefix, each['loc'])}: {_what(each['type'], each['msg'])}"
                for each in problems
            )
        ) from None


def configuration_path(given: Path | None) -> Path | None:
    """Return the configuration file to use: the one given, else `UNDELIVER_CONFIG`'s, else None."""
    return given or read_settings(CommandSettings).config


def _variable(prefix: str, location: tuple[int | str, ...]) -> str:
    name = str(location[0]) if location else "settings"
    return name if name.isupper() else f"{prefix}{name}".upper()


def _what(kind: str, message: str) -> str:
    if kind == "missing":
        return "is not set; set this environment variable"
    return message.removeprefix("Value error, ")  # pydantic's, in front of our own words
