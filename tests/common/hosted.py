"""Asks a service, hosted as in a pod, how it is."""

import asyncio
import json
from collections.abc import Mapping

PATIENCE_SECONDS = 40


async def readiness(port: int) -> tuple[int | None, Mapping[str, str]]:
    """Return the status of /readyz and the state of each check; None where nobody answers."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return None, {}
    writer.write(b"GET /readyz HTTP/1.1\r\nHost: here\r\n\r\n")
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), json.loads(body)["checks"]


async def becomes(port: int, status: int) -> Mapping[str, str]:
    """Wait until /readyz answers so, and return the state of each check."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found, checks = await readiness(port)
            if found == status:
                return checks
            await asyncio.sleep(0.05)
