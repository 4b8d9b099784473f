"""Publishes a person's command, and follows it to its end."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID, uuid4

from libs.common.broker.opening import open_broker
from libs.common.broker.port import Message
from libs.common.clock import Clock, SystemClock
from libs.common.contracts import Contract
from libs.common.errors import StartError
from libs.common.instance import cli_connection
from libs.common.terminal import Output
from services.retractor.adapters.postgres.reading import Reading, open_reading
from services.retractor.cli.showing import COPY_COLUMNS, as_record

APP_ID = "undeliver-cli"
_POLL_SECONDS = 0.25
_OPEN = {"waiting", "running", "cancelling"}


async def ask(
    output: Output, data: Path | None, command: Contract, wait_seconds: float | None
) -> int:
    """Publish a command as the person's publisher; with `wait_seconds`, follow it to its end.

    Returns 1 where it did not come to a good end in time.

    Raises:
        ConfigurationError: waiting needs the database, and none is named; nothing is published.
        StartError: it has not ended in time, or nothing to publish to is named.
    """
    connection, clock = cli_connection(data), SystemClock()
    dsn = None if wait_seconds is None else connection.postgres_dsn
    command_id = _id_of(command)
    async with open_broker(connection.broker, clock=clock) as broker:
        await broker.publish([_message(command, clock)])
    if wait_seconds is None or dsn is None:
        name = "restore_id" if hasattr(command, "restore_id") else "retraction_id"
        output.record({name: str(command_id), "status": "published"})
        return 0
    async with open_reading(dsn) as reading:
        record = await _end_of(reading, command, command_id, wait_seconds, clock)
    return _report(output, record)


def _message(command: Contract, clock: Clock) -> Message:
    message_id = str(uuid4())
    return Message(
        message_id=message_id,
        type=command.type,
        body=command.body(),
        tenant=command.tenant,
        correlation_id=message_id,
        causation_id=None,
        timestamp=clock.now(),
        app_id=APP_ID,
    )


def _id_of(command: Contract) -> UUID:
    found = getattr(command, "restore_id", None) or getattr(command, "retraction_id", None)
    if not isinstance(found, UUID):
        raise TypeError(f"{command.type} has no id")
    return found


async def _end_of(
    reading: Reading, command: Contract, command_id: UUID, wait_seconds: float, clock: Clock
) -> Mapping[str, object]:
    try:
        async with asyncio.timeout(wait_seconds):
            while True:
                found = await reading.one(command_id, command.tenant)
                if found is not None and found["status"] not in _OPEN:
                    return as_record(found, await reading.copies(command_id, command.tenant))
                await clock.sleep(_POLL_SECONDS)
    except TimeoutError:
        raise StartError(
            f"{command_id} has not ended after {wait_seconds:g} s; it goes on: see "
            f"`undeliver retractor show {command_id}`"
        ) from None


def _report(output: Output, record: Mapping[str, object]) -> int:
    copies = record["copies"]
    if output.as_json or not isinstance(copies, list):
        output.record(record)
    else:
        output.record({name: value for name, value in record.items() if name != "copies"})
        output.records(copies, COPY_COLUMNS, empty="no copies")
    counts = record["counts"]
    failed = isinstance(counts, dict) and counts.get("failed", 0)
    return 0 if record["status"] == "finished" and not failed else 1
