"""RabbitMQ's HTTP API: virtual hosts and users in milliseconds.

Bound to no event loop: a test without one may `asyncio.run` any of it.
"""

import ssl
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import quote

import httpx

_ANSWER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Management:
    """The API of one server, as its administrator."""

    url: str
    user: str
    password: str = field(repr=False)

    async def call(self, method: str, *path: str, body: object = None) -> Any:
        """Call `/api/PATH…` and return its JSON, or None where the answer has none.

        Raises:
            httpx.HTTPError: it does not answer, or refuses.
        """
        place = "/".join(quote(part, safe="") for part in path)
        async with httpx.AsyncClient(
            auth=(self.user, self.password),
            timeout=_ANSWER_SECONDS,
            trust_env=False,
            verify=_trusted(),
        ) as client:
            response = await client.request(method, f"{self.url}/api/{place}", json=body)
        if response.is_error:
            raise httpx.HTTPStatusError(
                f"{method} {response.url}: {response.status_code} {response.text[:300]}",
                request=response.request,
                response=response,
            )
        return response.json() if response.content else None

    async def get(self, *path: str) -> Any:
        """Read."""
        return await self.call("GET", *path)

    async def put(self, *path: str, body: object = None) -> None:
        """Create or change."""
        await self.call("PUT", *path, body={} if body is None else body)

    async def delete(self, *path: str) -> None:
        """Delete; what is not there is fine."""
        try:
            await self.call("DELETE", *path)
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.NOT_FOUND:
                raise


@cache
def _trusted() -> ssl.SSLContext:
    """Load the system's authorities once: it takes longer than a call."""
    return ssl.create_default_context()
