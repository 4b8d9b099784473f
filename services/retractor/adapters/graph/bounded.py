"""A transport that does not read answers of any length into memory."""

from collections.abc import AsyncIterator
from typing import cast

import httpx

#: A page of items without bodies is far smaller.
MAX_ANSWER_BYTES = 8 * 1024 * 1024


class AnswerTooLargeError(httpx.TransportError):
    """An answer is larger than any that we ask for."""


class BoundedTransport(httpx.AsyncBaseTransport):
    """Passes requests on, and breaks off an answer that is too long."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See `httpx.AsyncBaseTransport.handle_async_request`."""
        response = await self._inner.handle_async_request(request)
        stream = cast("httpx.AsyncByteStream", response.stream)
        response.stream = _Bounded(stream)
        return response

    async def aclose(self) -> None:
        """See `httpx.AsyncBaseTransport.aclose`."""
        await self._inner.aclose()


class _Bounded(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size_bytes = 0
        async for chunk in self._inner:
            size_bytes += len(chunk)
            if size_bytes > MAX_ANSWER_BYTES:
                raise AnswerTooLargeError("answer too large")
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()
