"""Every switch of the simulator; the defaults are what a tenant is believed to do.

Where no source says how Graph behaves, there is a switch instead of an opinion.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class Section(BaseModel):
    """A group of switches: frozen, and an unknown one is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Throttling(Section):
    """Limits of Outlook in Graph (Graph throttling limits, per application and mailbox)."""

    mailbox_concurrency: Count = 4
    mailbox_requests: Count = 10_000
    mailbox_window_seconds: Seconds = 600
    upload_bytes: Count = 150_000_000
    upload_window_seconds: Seconds = 300
    #: Of one application over all its tenants.
    global_requests: Count = 130_000
    global_window_seconds: Seconds = 10


class Latency(Section):
    """How long an operation takes: log-normal around `median_ms`, cut at `cap_ms`."""

    median_ms: Annotated[float, Field(ge=0, le=60_000)] = 0
    #: Standard deviation of the logarithm: 0 is always the median, 0.33 about ± 1/3.
    sigma: Annotated[float, Field(ge=0, le=3)] = 0
    cap_ms: Annotated[float, Field(gt=0)] = 30_000
    #: Median of single operations by name (`docs/graph-simulator.md` lists them).
    operations_ms: dict[str, Annotated[float, Field(ge=0, le=60_000)]] = Field(default_factory=dict)


class Batches(Section):
    """How `$batch` sends its requests on to Outlook."""

    #: `paced`: a few at a time, whatever the mailboxes. `burst`: all at once (2020-22).
    sending: Literal["paced", "burst"] = "paced"
    at_a_time: Annotated[int, Field(ge=1, le=20)] = 4
    #: "Batch should be either fully sequential or fully parallel" was once enforced.
    mixed: Literal["accept", "refuse"] = "accept"
    #: A POST, PATCH or PUT without body is seen to fail the whole batch.
    bodyless_writes: Literal["accept", "refuse"] = "refuse"


class Options(Section):
    """All switches."""

    #: Every random choice follows from it.
    seed: int = 1
    throttling: Throttling = Throttling()
    latency: Latency = Latency()
    batches: Batches = Batches()
    token_lifetime_seconds: Annotated[int, Field(ge=1, le=86_400)] = 3599
    #: How a message without Thread-Index gets its conversation.
    new_conversation: Literal["per_mailbox", "shared", "topic_hash"] = "per_mailbox"
    #: Whether ids with runs of equal characters are written compressed (`AQMk…`).
    compress_ids: bool = False
    #: Where `DELETE /messages/{id}` puts the item.
    delete_target: Literal["recoverableitemsdeletions", "deleteditems"] = (
        "recoverableitemsdeletions"
    )
    #: Answer of `permanentDelete` in clouds that lack it.
    permanent_delete_missing_status: Literal[404, 405, 501] = 404
    #: Whether `internetMessageId eq` tells upper from lower case.
    message_id_case_sensitive: bool = False
    #: Whether `/users/{alias}/messages` finds the mailbox as `/users/{upn}/messages` does.
    alias_in_mail_paths: bool = False
    #: Whether `recoverableitemspurges` and its like are folder names, though no list has them.
    unlisted_folder_names: bool = True
    #: Whether an item may be moved out of Purges.
    purges_movable: bool = False
    #: By how much `$count` of all messages is too high, besides what Recoverable Items hold.
    count_excess: Annotated[int, Field(ge=0)] = 0
