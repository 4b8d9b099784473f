"""Shows the ledger to people and programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from libs.common.contracts.retraction import Outcome
from libs.common.errors import StartError
from libs.common.instance import cli_connection
from libs.common.terminal import Output
from services.retractor.adapters.postgres.reading import open_reading

_LIST_COLUMNS = (
    "accepted_at",
    "retraction_id",
    "kind",
    "tenant",
    "status",
    "destination",
    "internet_message_id",
    "copies",
    "publisher",
    "requested_by",
)
COPY_COLUMNS = (
    "mailbox",
    "depth",
    "outcome",
    "would_be",
    "reason",
    "folder_before",
    "folder_after",
    "was_read",
    "copy_id",
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which retractions to list."""

    tenant: str | None
    status: str | None
    limit: int


async def show_list(output: Output, data: Path | None, wanted: Wanted) -> int:
    """Print retractions, newest first."""
    async with open_reading(cli_connection(data).postgres_dsn) as reading:
        found = await reading.newest(wanted.tenant, wanted.status, wanted.limit)
    output.records(found, _LIST_COLUMNS, empty="no retractions")
    return 0


async def show_one(
    output: Output, data: Path | None, retraction_id: UUID, tenant: str | None
) -> int:
    """Print one retraction or restore with its copies.

    Raises:
        StartError: there is none of this id.
    """
    async with open_reading(cli_connection(data).postgres_dsn) as reading:
        found = await reading.one(retraction_id, tenant)
        if found is None:
            raise StartError(f"there is no retraction {retraction_id}")
        copies = await reading.copies(retraction_id, str(found["tenant"]))
    if output.as_json:
        output.record(as_record(found, copies))
        return 0
    output.record(found)
    output.records(as_told(found, copies), COPY_COLUMNS, empty="no copies")
    return 0


def as_record(
    retraction: Mapping[str, object], copies: Sequence[Mapping[str, object]]
) -> Mapping[str, object]:
    """Return a retraction with its copies and how many ended how."""
    told = as_told(retraction, copies)
    outcomes = [copy["outcome"] for copy in told]
    counts = {outcome.value: outcomes.count(outcome.value) for outcome in Outcome}
    return {**retraction, "counts": counts, "copies": told}


def as_told(
    retraction: Mapping[str, object], copies: Sequence[Mapping[str, object]]
) -> list[Mapping[str, object]]:
    """Return copies as they are: a dry run has left them untouched, and says what would be."""
    if not retraction["dry_run"]:
        return [{**copy, "would_be": None} for copy in copies]
    return [
        {
            **copy,
            "outcome": Outcome.UNTOUCHED.value,
            "would_be": copy["outcome"],
            "folder_after": copy["folder_before"],
        }
        for copy in copies
    ]
