"""The knobs of the audit service."""

from pydantic_settings import SettingsConfigDict

from libs.common.settings import ServiceSettings


class Settings(ServiceSettings):
    """Environment variables `AUDIT_…`."""

    model_config = SettingsConfigDict(env_prefix="AUDIT_")
