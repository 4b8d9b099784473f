"""What these commands read from the environment."""

from pydantic_settings import BaseSettings, SettingsConfigDict

from libs.common.settings import PostgresDsn


class Settings(BaseSettings):
    """An administrator's access, which no service and no other command has."""

    model_config = SettingsConfigDict(
        env_prefix="DATABASE_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    #: Of a superuser, or of a role with CREATEROLE that may create schemas in the database.
    admin_dsn: PostgresDsn | None = None
