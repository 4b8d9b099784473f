"""Deletes many blobs, several at a time."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from libs.common.blobs.port import Blobs
from libs.common.errors import UndeliverError

_AT_ONCE = 16


@dataclass(slots=True)
class Deletion:
    """What became of it."""

    deleted: set[str] = field(default_factory=set)
    failed: dict[str, UndeliverError] = field(default_factory=dict)

    @property
    def reasons(self) -> list[str]:
        """Why some were not deleted, each reason once."""
        return sorted({error.reason for error in self.failed.values()})


async def delete_each(keys: Iterable[str], blobs: Blobs) -> Deletion:
    """Delete these; one that cannot be deleted does not keep the others."""
    outcome, turns = Deletion(), asyncio.Semaphore(_AT_ONCE)

    async def delete(key: str) -> None:
        async with turns:
            try:
                await blobs.delete(key)
            except UndeliverError as error:
                outcome.failed[key] = error
            else:
                outcome.deleted.add(key)

    async with asyncio.TaskGroup() as group:
        for key in keys:
            group.create_task(delete(key))
    return outcome
