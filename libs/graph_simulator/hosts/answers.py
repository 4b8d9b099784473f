"""Answers on the wire, whole or broken."""

import json
from collections.abc import Mapping

from aiohttp import web

_GRAPH_JSON = (
    "application/json;odata.metadata=minimal;odata.streaming=true;"
    "IEEE754Compatible=false;charset=utf-8"
)


def json_answer(
    status: int, body: object, headers: Mapping[str, str] | None = None, *, is_graph: bool = False
) -> web.Response:
    """Write JSON. Characters beyond ASCII are escaped: mail holds what UTF-8 cannot."""
    content_type = _GRAPH_JSON if is_graph else "application/json"
    return web.Response(
        status=status,
        body=json.dumps(body, separators=(",", ":")).encode("ascii"),
        headers={**(headers or {}), "Content-Type": content_type},
    )


def reset_connection(request: web.Request) -> web.Response:
    """Break the connection: the client gets no answer. The return value is never sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def truncated(response: web.Response) -> web.Response:
    """Cut the body in half; the length says nothing of it."""
    body = response.body
    if isinstance(body, bytes):
        response.body = body[: len(body) // 2]
    return response
