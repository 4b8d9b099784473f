"""Every knob of the retractor, as `RETRACTOR_*`."""

from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from libs.common.settings import ServiceSettings

_Seconds = Annotated[float, Field(gt=0, le=86_400)]


class Tuning(BaseSettings):
    """Where Graph is, and how hard and how long the workers try."""

    model_config = SettingsConfigDict(
        env_prefix="RETRACTOR_", frozen=True, extra="ignore", populate_by_name=True
    )

    #: Overrides of the tenant's cloud, for tests: `https://host:port`, without `/v1.0`.
    graph_url: Annotated[str | None, Field(pattern=r"^https?://[^/]+/?$")] = None
    #: The same for sign-in.
    authority_url: Annotated[str | None, Field(pattern=r"^https://[^/]+/?$")] = None
    #: The certificate authority to trust instead of the system's.
    ca_file: Path | None = None
    #: Where Kubernetes puts the workload identity's token.
    federated_token_file: Annotated[
        Path | None,
        Field(
            validation_alias=AliasChoices(
                "federated_token_file",
                "RETRACTOR_FEDERATED_TOKEN_FILE",
                "AZURE_FEDERATED_TOKEN_FILE",
            )
        ),
    ] = None

    #: Mailboxes that are worked on at the same time.
    mailboxes_at_once: Annotated[int, Field(ge=1, le=1000)] = 32
    #: Calls of Graph at the same time, over all mailboxes.
    graph_calls_at_once: Annotated[int, Field(ge=1, le=1000)] = 64
    #: Commands or events that are handled at the same time, per queue.
    prefetch: Annotated[int, Field(ge=1, le=1000)] = 16
    #: After this without a sign of life a mailbox is another worker's.
    lease_seconds: Annotated[float, Field(ge=3, le=600)] = 15.0
    #: How often the workers look for work that nobody told them of.
    poll_seconds: Annotated[float, Field(gt=0, le=60)] = 0.5
    #: How long to wait before each further look for a copy that is not there (JSON list).
    late_looks_seconds: tuple[_Seconds, ...] = (2.0, 10.0, 60.0)
    #: Failures after which a copy may be given up; the pauses between them double.
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 8
    #: How long after its first failure a copy is tried at least.
    give_up_seconds: Annotated[float, Field(ge=0, le=86_400)] = 2100.0
    #: How long a retraction waits for the journal report of its message.
    unknown_message_seconds: _Seconds = 1800.0
    #: How long recipients of later reports join a retraction that named no mailboxes.
    standing_order_days: Annotated[float, Field(gt=0, le=365)] = 30.0


class Settings(Tuning, ServiceSettings):
    """See `ServiceSettings` for what all services have."""

    model_config = SettingsConfigDict(env_prefix="RETRACTOR_")
