"""Every knob of ingest: `INGEST_*`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from libs.common.settings import ServiceSettings

_MIB = 1024 * 1024


class Tuning(BaseSettings):
    """The listener, and what one message may take."""

    model_config = SettingsConfigDict(env_prefix="INGEST_", frozen=True, extra="ignore")

    #: The listener's name, as tenants' `journal.listeners` has it.
    listener: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")] = "default"
    #: The address to listen on; 0.0.0.0 for all of IPv4.
    smtp_host: str = "127.0.0.1"
    #: Port 0 takes a free one.
    smtp_port: Annotated[int, Field(ge=0, le=65535)] = 8025
    #: How we call ourselves; None: the first journal domain of the configuration.
    smtp_hostname: str | None = None
    #: At a time; more are answered 421.
    smtp_connections: Annotated[int, Field(ge=1, le=10_000)] = 200
    #: Of one message.
    smtp_recipients: Annotated[int, Field(ge=1, le=1000)] = 100
    #: Exchange Online sends up to 150 MB, and a report adds its wrapper.
    smtp_message_bytes: Annotated[int, Field(ge=_MIB, le=1024 * _MIB)] = 200 * _MIB
    #: A message up to this size waits in memory, a larger one in a file.
    smtp_memory_bytes: Annotated[int, Field(ge=0, le=64 * _MIB)] = _MIB
    #: Larger messages that are in memory at once, while they are kept.
    smtp_large_at_once: Annotated[int, Field(ge=1, le=100)] = 4
    #: RFC 5321 §4.5.3.2.7: five minutes.
    smtp_idle_seconds: Annotated[float, Field(gt=0, le=3600)] = 300.0
    #: STARTTLS: `off` does not offer it, `required` takes no mail without it.
    tls: Literal["off", "optional", "required"] = "off"
    #: PEM: the server's certificate, its chain behind it. Replaced while running, it is read anew.
    tls_certificate: Path | None = None
    #: PEM, without a passphrase, readable by this user alone. Read anew as well.
    tls_key: Path | None = None
    #: From STARTTLS until the connection is encrypted.
    tls_handshake_seconds: Annotated[float, Field(gt=0, le=300)] = 30.0
    #: Where large messages wait; None: the system's folder for temporary files.
    spool_folder: Path | None = None
    #: Processes that parse reports.
    parse_processes: Annotated[int, Field(ge=1, le=64)] = 2
    #: Of one message. 150 MB take two seconds.
    parse_seconds: Annotated[float, Field(gt=0, le=300)] = 30.0
    #: Of one process.
    parse_memory_bytes: Annotated[int, Field(ge=256 * _MIB)] = 2048 * _MIB
    #: The broker's confirm; a client waits ten minutes for its answer (RFC 5321 §4.5.3.2.6).
    publish_seconds: Annotated[float, Field(gt=0, le=120)] = 10.0
    #: Raw mails that no entry names and that one daily sweep may delete. More look like the wrong
    #: database, and none is deleted. 0 only counts; None: 10, or one in a hundred of those stored.
    sweep_orphans_at_most: Annotated[int | None, Field(ge=0, le=100_000)] = None


class Settings(Tuning, ServiceSettings):
    """See `ServiceSettings` for what all services have."""

    model_config = SettingsConfigDict(env_prefix="INGEST_")

    #: Where raw mail is kept: `file:///absolute/folder`, or an object store's URL.
    blob_url: str
