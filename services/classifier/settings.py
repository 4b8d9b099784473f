"""Every knob of the classifier, as `CLASSIFIER_*`."""

import os
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from libs.common.settings import ServiceSettings

_MIB = 1024 * 1024


class Tuning(BaseSettings):
    """What judging mail takes, for the service and for commands alike."""

    model_config = SettingsConfigDict(env_prefix="CLASSIFIER_", frozen=True, extra="ignore")

    #: Deliveries in hand at once; more than workers, so that DNS answers overlap.
    prefetch: Annotated[int, Field(ge=1, le=1000)] = 32
    #: Processes that parse and judge mail.
    workers: Annotated[int, Field(ge=1, le=256)] = os.cpu_count() or 1
    #: Wall clock for one message, after which its worker is killed.
    evaluation_timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    #: CPU for one message; parsing the largest legal one takes about three.
    evaluation_cpu_seconds: Annotated[int, Field(ge=1, le=600)] = 10
    #: Address space of one worker; parsing takes about five times the message.
    evaluation_memory_bytes: Annotated[int, Field(ge=256 * _MIB)] = 2048 * _MIB
    #: `address`, `address:port` or `[v6]:port`, as a JSON list. Empty: those of the system.
    nameservers: tuple[str, ...] = ()
    #: For all that is asked about one message; what has no answer by then is no evidence.
    dns_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 3.0


class Settings(Tuning, ServiceSettings):
    """See `ServiceSettings` for what all services have."""

    model_config = SettingsConfigDict(env_prefix="CLASSIFIER_")

    #: Where ingest keeps raw mail: `file:///absolute/folder`, or an object store's URL.
    blob_url: str
