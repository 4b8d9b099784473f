"""The Graph host."""

import json
from collections.abc import Mapping
from json import JSONDecodeError

from aiohttp import web

from libs.graph_simulator.authority.tokens import Tokens
from libs.graph_simulator.graph.batches import run_batch
from libs.graph_simulator.graph.errors import GraphError, bad_request, no_such_segment
from libs.graph_simulator.graph.failures import ConnectionLostError, Facts
from libs.graph_simulator.graph.requests import Caller, Exchange, GraphRequest, GraphResponse
from libs.graph_simulator.graph.service import GraphService
from libs.graph_simulator.hosts.answers import json_answer, reset_connection, truncated
from libs.graph_simulator.world.directory import Application, Tenant

#: Graph takes 4 MB; what is larger needs an upload session.
LARGEST_BODY_BYTES = 4 * 1024 * 1024
_VERSIONS = frozenset({"v1.0", "beta"})
_NOBODY = Caller(Tenant("", ()), Application("", ""))


class GraphHost:
    """Turns HTTP into operations and back."""

    def __init__(self, service: GraphService, tokens: Tokens) -> None:
        self._service = service
        self._world = service.world
        self._tokens = tokens
        #: Where it is, set once the port is known.
        self.url = ""

    async def serve(self, request: web.Request) -> web.Response:
        """Answer any request to `/v1.0` or `/beta`."""
        exchange = self._exchange(request)
        self._service.statistics.http_requests += 1
        try:
            answer = await self._answer(exchange, request)
        except GraphError as error:
            answer = error.response(exchange, self._world.clock.now())
        except ConnectionLostError:
            return reset_connection(request)
        self._service.statistics.tell_refusals(exchange)
        return self._written(exchange, answer)

    async def _answer(self, exchange: Exchange, request: web.Request) -> GraphResponse:
        version = request.match_info["version"].lower()
        if version not in _VERSIONS:
            raise bad_request(f"Invalid version: {version}.")
        url = request.raw_path.partition(f"/{request.match_info['version']}")[2]
        if not url.strip("/"):
            raise no_such_segment("")
        exchange.caller = self._tokens.caller(request.headers.get("Authorization"))
        if (request.content_length or 0) > LARGEST_BODY_BYTES:
            raise GraphError(413, "RequestEntityTooLarge", "The request entity is too large.")
        raw = await request.read()
        body = _body(raw, request.headers.get("Content-Type", ""))
        if request.match_info["tail"].lower() == "$batch":
            return await self._batch(exchange, request, version, body)
        headers = {name.lower(): value for name, value in request.headers.items()}
        operation = GraphRequest(request.method, version, url, headers, body, len(raw))
        return await self._service.answer(exchange, operation)

    async def _batch(
        self, exchange: Exchange, request: web.Request, version: str, body: object
    ) -> GraphResponse:
        if request.method != "POST":
            raise GraphError(
                405,
                "Request_BadRequest",
                "Specified HTTP method is not allowed for the request target.",
            )
        failures = self._service.failures
        facts = Facts("POST", "/$batch", "batch", "", is_inner=False)
        place = (exchange.caller.application.client_id, "")
        self._service.statistics.note_arrival(place, exchange.arrived_at)
        effect = failures.effect("before", facts)
        if effect is not None:
            answer = await failures.apply(effect, exchange, None)
        else:
            answer = await run_batch(self._service, exchange, version, body)
            effect = failures.effect("after", facts)
            if effect is not None:
                answer = await failures.apply(effect, exchange, answer)
        self._service.statistics.note_refusal(exchange, place, answer)
        return answer

    def _exchange(self, request: web.Request) -> Exchange:
        request_id = self._world.new_guid()
        given = request.headers.get("client-request-id", "")[:64]
        return Exchange(
            self.url, request_id, given or request_id, self._world.clock.monotonic(), _NOBODY
        )

    def _written(self, exchange: Exchange, answer: GraphResponse) -> web.Response:
        headers = {
            "request-id": exchange.request_id,
            "client-request-id": exchange.client_request_id,
            "x-ms-ags-diagnostic": _DIAGNOSTIC,
            "Cache-Control": "no-cache",
            **answer.headers,
        }
        response = _response(answer, headers)
        return truncated(response) if answer.is_truncated else response


def _response(answer: GraphResponse, headers: Mapping[str, str]) -> web.Response:
    if answer.body is None:
        return web.Response(status=answer.status, headers=headers)
    if isinstance(answer.body, bytes):
        content_type = {"Content-Type": "text/plain"}
        return web.Response(
            status=answer.status, body=answer.body, headers={**headers, **content_type}
        )
    is_graph = answer.status < 400
    if is_graph:
        headers = {**headers, "OData-Version": "4.0"}
    return json_answer(answer.status, answer.body, headers, is_graph=is_graph)


def _body(raw: bytes, content_type: str) -> object | None:
    if not raw.strip():
        return None
    if not content_type.lower().startswith("application/json"):
        raise bad_request(
            "Unable to read JSON request payload. Please ensure Content-Type header "
            "is set and payload is of valid JSON format."
        )
    try:
        body: object = json.loads(raw)
    except (JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(
            "Unable to read JSON request payload. Please ensure Content-Type header is set and "
            "payload is of valid JSON format."
        ) from error
    return body


_DIAGNOSTIC = json.dumps(
    {
        "ServerInfo": {
            "DataCenter": "Simulator",
            "Slice": "E",
            "Ring": "5",
            "ScaleUnit": "000",
            "RoleInstance": "SIM00000001",
        }
    },
    separators=(",", ":"),
)
