"""/healthz, /readyz and /metrics over a real socket."""

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
from prometheus_client import CollectorRegistry, Counter

from libs.common.errors import StartError, TransientError
from libs.common.probes import serve_probes


async def ok():
    return None


async def database_away():
    raise TransientError("database_unreachable", "host 10.1.2.3")


async def hanging():
    await asyncio.Event().wait()


async def buggy():
    raise KeyError("ann@example.com")


@asynccontextmanager
async def connected(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


async def exchange(port, request):
    async with connected(port) as (reader, writer):
        writer.write(request)
        await writer.drain()
        return await asyncio.wait_for(reader.read(), 10)


async def is_cut(reader):
    """Whether the other side ends the connection without an answer."""
    try:
        return await asyncio.wait_for(reader.read(), 10) == b""
    except ConnectionError:
        return True


async def get(port, path, method="GET", headers=""):
    answer = await exchange(port, f"{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode())
    head, _, content = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), head.decode(), content


async def test_a_process_is_alive_whatever_its_checks_say():
    async with serve_probes({"database": database_away}) as server:
        status, _, content = await get(server.port, "/healthz")

    assert status == 200
    assert json.loads(content) == {"alive": True}


async def test_a_process_is_ready_when_every_check_returns():
    async with serve_probes({"database": ok, "broker": ok}) as server:
        status, head, content = await get(server.port, "/readyz?verbose")

    assert status == 200
    assert json.loads(content) == {"ready": True, "checks": {"database": "ok", "broker": "ok"}}
    assert "Content-Type: application/json" in head


async def test_what_is_not_ready_is_named_by_code_and_nothing_else():
    checks = {"database": database_away, "broker": hanging, "blobs": buggy, "dns": ok}
    async with serve_probes(checks, check_timeout_seconds=0.05) as server:
        status, _, content = await get(server.port, "/readyz")

    assert status == 503
    assert json.loads(content) == {
        "ready": False,
        "checks": {
            "database": "database_unreachable",
            "broker": "timed_out",
            "blobs": "failed",
            "dns": "ok",
        },
    }
    assert b"10.1.2.3" not in content
    assert b"ann" not in content


async def test_metrics_are_those_of_the_registry():
    registry = CollectorRegistry()
    counter = Counter("undeliver_mail", "Mail.", ["outcome"], registry=registry)
    counter.labels("moved").inc()
    async with serve_probes({}, registry=registry) as server:
        status, head, content = await get(server.port, "/metrics")
        _, open_head, open_content = await get(
            server.port,
            "/metrics",
            headers="Accept: application/openmetrics-text;version=1.0.0\r\n",
        )

    assert status == 200
    assert "Content-Type: text/plain" in head
    assert b'undeliver_mail_total{outcome="moved"} 1.0' in content
    assert "Content-Type: application/openmetrics-text" in open_head
    assert open_content.endswith(b"# EOF\n")


async def test_head_answers_without_content():
    async with serve_probes({}) as server:
        status, head, content = await get(server.port, "/healthz", method="HEAD")

    assert (status, content) == (200, b"")
    assert "Content-Length: 16" in head


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /etc/passwd HTTP/1.1\r\n\r\n", 404),
        (b"GET / HTTP/1.1\r\n\r\n", 404),
        (b"POST /metrics HTTP/1.1\r\n\r\n", 405),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
        (b"GET /healthz\r\n\r\n", 400),
        (b"GET /healthz HTTP/2\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 10_000 + b"\r\n\r\n", 431),
        (b"a" * 20_000, 431),
    ],
)
async def test_anything_else_is_refused(request_, status):
    async with serve_probes({}) as server:
        answer = await exchange(server.port, request_)
        again, _, _ = await get(server.port, "/healthz")

    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert again == 200


async def test_who_says_nothing_is_cut_off():
    async with (
        serve_probes({}, request_timeout_seconds=0.05, check_timeout_seconds=0.0) as server,
        connected(server.port) as (reader, writer),
    ):
        writer.write(b"GET /hea")

        assert await is_cut(reader)


async def test_idle_connections_do_not_shut_others_out_for_ever():
    async with (
        serve_probes({}, request_timeout_seconds=0.2, check_timeout_seconds=0.0) as server,
        AsyncExitStack() as stack,
    ):
        idle = [await stack.enter_async_context(connected(server.port)) for _ in range(40)]
        for reader, _ in idle:
            assert await is_cut(reader)

        status, _, _ = await get(server.port, "/healthz")

    assert status == 200


async def test_closing_waits_for_nobody():
    async with asyncio.timeout(5), AsyncExitStack() as stack:
        async with serve_probes({"broker": hanging}, check_timeout_seconds=60) as server:
            reader, writer = await stack.enter_async_context(connected(server.port))
            writer.write(b"GET /readyz HTTP/1.1\r\n\r\n")
            await writer.drain()
            await get(server.port, "/healthz")

        assert await is_cut(reader)


async def test_a_taken_port_is_one_clear_sentence():
    async with serve_probes({}) as server:
        with pytest.raises(StartError, match=f"cannot listen on 127.0.0.1:{server.port}"):
            async with serve_probes({}, port=server.port):
                pass
