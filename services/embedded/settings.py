"""The knobs of `undeliver up` itself; each service reads its own besides."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from libs.common.settings import Level


class Settings(BaseSettings):
    """Environment variables `UNDELIVER_…`."""

    model_config = SettingsConfigDict(
        env_prefix="UNDELIVER_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    #: The configuration file.
    config: Path | None = None
    #: A folder with PostgreSQL's programs; absent: the wheel's, else the system's.
    pg_bin: Path | None = None
    #: Where /healthz, /readyz and /metrics of all services answer.
    http_host: str = "127.0.0.1"
    #: 0 takes a free one.
    http_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    #: What is less is not written.
    log_level: Level = "INFO"
