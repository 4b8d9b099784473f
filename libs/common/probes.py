"""One small HTTP port for those who watch a process: /healthz, /readyz, /metrics.

Plain asyncio: three GET routes need no framework, and what is not there cannot be attacked.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus

import structlog
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.exposition import choose_encoder

from libs.common.errors import StartError
from libs.common.readiness import Check, Readiness

_MAX_REQUEST_BYTES = 8 * 1024
_MAX_CONNECTIONS = 32

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ProbeServer:
    """Where the probes answer, and what they ask."""

    port: int
    readiness: Readiness


@dataclass(frozen=True, slots=True)
class _Answer:
    status: HTTPStatus
    content: bytes = b""
    content_type: str = "application/json"


@asynccontextmanager
async def serve_probes(
    checks: Mapping[str, Check],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    registry: CollectorRegistry = REGISTRY,
    check_timeout_seconds: float = 2.0,
    request_timeout_seconds: float = 5.0,
) -> AsyncIterator[ProbeServer]:
    """Serve until the context ends. Port 0 takes a free one; the server says which.

    `/healthz`: 200 while the event loop turns. `/readyz`: 200 if every check returns in time, else
    503; JSON names each check's state. `/metrics`: the registry, for Prometheus.

    Raises:
        StartError: the port is taken, or not ours to take.
    """
    readiness = Readiness(check_timeout_seconds)
    # The checks answer within the request.
    probes = _Probes(readiness, registry, request_timeout_seconds + check_timeout_seconds)
    async with readiness.asking(checks):
        server = await _listen(probes, host, port)
        bound = int(server.sockets[0].getsockname()[1])
        _log.info("probes_listening", host=host, port=bound)
        try:
            yield ProbeServer(bound, readiness)
        finally:
            server.close()
            await probes.close()
            await server.wait_closed()


async def _listen(probes: "_Probes", host: str, port: int) -> asyncio.Server:
    try:
        return await asyncio.start_server(
            probes.on_connection, host, port, limit=_MAX_REQUEST_BYTES
        )
    except OSError as error:
        raise StartError(
            f"cannot listen on {host}:{port} for probes and metrics: {error.strerror or error}; "
            "choose another port"
        ) from error


class _Probes:
    """Answers connections, a bounded number at a time."""

    def __init__(
        self,
        readiness: Readiness,
        registry: CollectorRegistry,
        timeout_seconds: float,
    ) -> None:
        self._checks = readiness
        self._registry = registry
        self._timeout_seconds = timeout_seconds
        self._connections: set[asyncio.Task[None]] = set()

    async def on_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer one request and close: probes come seconds apart."""
        task = asyncio.current_task()
        if task is None or len(self._connections) >= _MAX_CONNECTIONS:
            writer.close()
            return
        self._connections.add(task)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._converse(reader, writer)
        except (OSError, TimeoutError):
            writer.transport.abort()
        except asyncio.CancelledError:
            writer.transport.abort()  # closing; nobody awaits this task, so it ends quietly
        finally:
            self._connections.discard(task)
            writer.close()

    async def close(self) -> None:
        """Cut the connections that are left."""
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return
        except asyncio.LimitOverrunError:
            head = b""
            answer = _Answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        else:
            answer = await self._answer(head)
        writer.write(_http(answer, with_content=not head.startswith(b"HEAD ")))
        await writer.drain()

    async def _answer(self, head: bytes) -> _Answer:
        parts = head.split(b"\r\n", 1)[0].split(b" ")
        if len(parts) != 3 or not parts[2].startswith(b"HTTP/1."):
            return _Answer(HTTPStatus.BAD_REQUEST)
        if parts[0] not in {b"GET", b"HEAD"}:
            return _Answer(HTTPStatus.METHOD_NOT_ALLOWED)
        match parts[1].partition(b"?")[0]:
            case b"/healthz":
                return _Answer(HTTPStatus.OK, b'{"alive": true}\n')
            case b"/readyz":
                return await self._readiness()
            case b"/metrics":
                encode, content_type = choose_encoder(_accept(head))
                return _Answer(HTTPStatus.OK, encode(self._registry), content_type)
            case _:
                return _Answer(HTTPStatus.NOT_FOUND)

    async def _readiness(self) -> _Answer:
        states = await self._checks.states()
        ready = all(state == "ok" for state in states.values())
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        content = {"ready": ready, "checks": states}
        return _Answer(status, json.dumps(content).encode() + b"\n")


def _accept(head: bytes) -> str:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"accept":
            return value.strip().decode("latin-1")
    return ""


def _http(answer: _Answer, *, with_content: bool) -> bytes:
    content = answer.content
    head = (
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}\r\n"
        f"Content-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(content)}\r\n"
        "Cache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("latin-1") + (content if with_content else b"")
