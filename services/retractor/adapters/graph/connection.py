"""One tenant's connection to Graph: signed in, bounded, and never retrying by itself.

Retries are the workers' alone: the SDK would repeat a move that was carried out.
"""

import asyncio
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlsplit

import httpx
from azure.core.exceptions import AzureError, ClientAuthenticationError
from kiota_abstractions.method import Method
from kiota_abstractions.native_response_handler import NativeResponseHandler
from kiota_abstractions.request_information import RequestInformation
from kiota_authentication_azure.azure_identity_authentication_provider import (
    AzureIdentityAuthenticationProvider,
)
from kiota_http.middleware.options import ResponseHandlerOption
from kiota_http.middleware.user_agent_handler import UserAgentHandler
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph_core import GraphClientFactory  # type: ignore[import-untyped]
from msgraph_core.middleware import GraphTelemetryHandler  # type: ignore[import-untyped]

from libs.common.clock import Clock
from libs.common.errors import PermanentError, TransientError
from services.retractor import metrics
from services.retractor.adapters.graph.answers import Answer, parsed
from services.retractor.adapters.graph.bounded import BoundedTransport
from services.retractor.adapters.graph.clouds import Cloud
from services.retractor.adapters.graph.credentials import OneAtATime

_CONNECT_SECONDS = 10.0
#: Graph's own gateway gives up earlier, with a 504.
_ANSWER_SECONDS = 40.0
_CONSENT = ("AADSTS700016", "AADSTS65001", "AADSTS90002")


class GraphConnection:
    """Sends requests for one tenant."""

    def __init__(
        self,
        cloud: Cloud,
        credential: OneAtATime,
        *,
        clock: Clock,
        ca_file: Path | None,
        connections: int,
    ) -> None:
        self._cloud = cloud
        self._calls = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._credential = credential
        self._clock = clock
        self._transport = _transport(ca_file, connections)
        self._http = _http_client(self._transport)
        host = urlsplit(cloud.graph_url).hostname or ""
        # Without allowed hosts the SDK would send our token anywhere, as to a forged nextLink.
        provider = AzureIdentityAuthenticationProvider(
            cast("Any", credential), scopes=[f"{_scope(cloud)}/.default"], allowed_hosts=[host]
        )
        self._adapter = GraphRequestAdapter(provider, client=self._http)
        self._adapter.base_url = f"{cloud.graph_url}/v1.0"

    async def send(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        immutable_ids: bool = True,
    ) -> Answer:
        """Send one request and return whatever Graph answers, but a refused token.

        That is replaced once. `path` begins with a slash, or is a whole link of this Graph.

        Raises:
            TransientError: `graph_unavailable`, `graph_timeout`, `sign_in_failed`, `token_refused`.
            PermanentError: `consent_revoked`; `foreign_link`: the link leads elsewhere.
        """
        url = self._url(path)
        with self._calling():
            return await self._answer(operation, method, url, body, immutable_ids)

    async def idle(self) -> None:
        """Wait until no call is under way."""
        await self._idle.wait()

    @contextmanager
    def _calling(self) -> Iterator[None]:
        self._calls += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._calls -= 1
            if self._calls == 0:
                self._idle.set()

    async def _answer(
        self, operation: str, method: str, url: str, body: bytes | None, immutable_ids: bool
    ) -> Answer:
        answer = await self._measured(operation, method, url, body, immutable_ids)
        if answer.status == 401:
            await self._credential.forget()
            answer = await self._measured(operation, method, url, body, immutable_ids)
            if answer.status == 401:
                raise TransientError("token_refused")
        return answer

    async def close(self) -> None:
        """End the connection."""
        await self._credential.close()
        await self._http.aclose()
        await self._transport.aclose()  # the SDK's own transport around it does not pass it on

    def _url(self, path: str) -> str:
        if path.startswith("/"):
            return f"{self._cloud.graph_url}/v1.0{path}"
        ours, theirs = urlsplit(self._cloud.graph_url), urlsplit(path)
        if (theirs.scheme, theirs.netloc) != (ours.scheme, ours.netloc):
            raise PermanentError("foreign_link")
        return path

    async def _measured(
        self, operation: str, method: str, url: str, body: bytes | None, immutable_ids: bool
    ) -> Answer:
        begun, status = self._clock.monotonic(), "none"
        try:
            answer = await self._send_once(method, url, body, immutable_ids)
            status = _status_class(answer.status)
        finally:
            metrics.GRAPH_REQUESTS.labels(operation=operation, status=status).observe(
                self._clock.monotonic() - begun
            )
        if answer.status == 429:
            scope = "mailbox" if answer.code == "ApplicationThrottled" else "application"
            metrics.GRAPH_THROTTLES.labels(scope=scope).inc()
        return answer

    async def _send_once(
        self, method: str, url: str, body: bytes | None, immutable_ids: bool
    ) -> Answer:
        request = _request(method, url, body, immutable_ids)
        try:
            native = await self._adapter.send_primitive_async(request, "bytes", {})
        except ClientAuthenticationError as error:
            raise _sign_in_error(error) from None  # its text quotes the tenant's identifiers
        except AzureError as error:
            raise TransientError("sign_in_failed", type(error).__name__) from None
        except httpx.TimeoutException as error:
            raise TransientError("graph_timeout", type(error).__name__) from None
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            raise TransientError("graph_unavailable", type(error).__name__) from None
        response = cast("httpx.Response", native)
        return parsed(response.status_code, dict(response.headers), response.content)


def _request(method: str, url: str, body: bytes | None, immutable_ids: bool) -> RequestInformation:
    request = RequestInformation()
    request.http_method = Method(method)
    request.url = url
    request.headers.add("Accept", "application/json")
    if immutable_ids:
        request.headers.add("Prefer", 'IdType="ImmutableId"')
    if body is not None:
        request.headers.add("Content-Type", "application/json")
        request.content = body
    native = ResponseHandlerOption(NativeResponseHandler())
    request.add_request_options([native])
    return request


def _transport(ca_file: Path | None, connections: int) -> BoundedTransport:
    context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    return BoundedTransport(
        httpx.AsyncHTTPTransport(verify=context, http2=True, limits=limits, trust_env=False)
    )


def _http_client(transport: BoundedTransport) -> httpx.AsyncClient:
    client = httpx.AsyncClient(
        transport=transport,
        timeout=httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS),
        follow_redirects=False,
    )
    # No retry and no redirect handler: the first would repeat writes, the second leave the host.
    middleware = [UserAgentHandler(), GraphTelemetryHandler()]
    return cast(
        "httpx.AsyncClient",
        GraphClientFactory.create_with_custom_middleware(middleware, client=client),
    )


def _scope(cloud: Cloud) -> str:
    parts = urlsplit(cloud.graph_url)
    return f"{parts.scheme}://{parts.netloc}"


def _sign_in_error(error: ClientAuthenticationError) -> TransientError | PermanentError:
    text = error.message or ""
    if any(code in text for code in _CONSENT):
        return PermanentError("consent_revoked")
    return TransientError("sign_in_failed", type(error).__name__)


def _status_class(status: int) -> str:
    if status in (401, 403, 404, 429):
        return str(status)
    return f"{status // 100}xx"


def query(parameters: Mapping[str, str]) -> str:
    """Return an OData query string: `$` stays as it is, every value is percent-encoded."""
    return "&".join(f"{name}={_quoted(value)}" for name, value in parameters.items())


def _quoted(value: str) -> str:
    return quote(value, safe="")
