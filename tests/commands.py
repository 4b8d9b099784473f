"""Commands as their users run them: each in a process of its own."""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.programs import environment

_UNDELIVER = Path(sys.executable).with_name("undeliver")
_SECONDS = 50.0


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """Its output as JSON, one object a line."""
        return [json.loads(line) for line in self.out.splitlines()]


async def undeliver(*words: str, **settings: str) -> Ended:
    """Run `undeliver` to its end, with these environment variables and no others of ours."""
    process = await asyncio.create_subprocess_exec(
        _UNDELIVER, *words, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env=environment(**settings)
    )
    async with asyncio.timeout(_SECONDS):
        out, err = await process.communicate()
    return Ended(process.returncode or 0, out.decode(), err.decode())
