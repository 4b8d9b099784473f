"""An S3 that answers as a test tells it: the failures that real ones have on their bad days."""

import asyncio
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

LISTING = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"

#: Instead of a status: never answer; close without an answer; send half of the body, then close.
HANG, CLOSE, HALF = "hang", "close", "half"


@dataclass
class ScriptedStore:
    """`answers` has for each verb what comes next; the last one stays. Lists are verb `LIST`."""

    answers: dict = field(default_factory=dict)
    body: bytes = b"0123456789"
    #: Verbs, and headers in lower case, as they came.
    requests: list = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    port: int = 0
    tls: ssl.SSLContext | None = None
    #: Set with each request that has come whole.
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, options=""):
        scheme = "https" if self.tls else "http"
        return (
            f"s3://mail/prefix?endpoint={scheme}://127.0.0.1:{self.port}"
            f"&region=eu-central-1&allow_http=true{options}"
        )

    def verbs(self, verb):
        return sum(1 for each, _ in self.requests if each == verb)

    @asynccontextmanager
    async def serving(self):
        connections = set()

        async def serve(reader, writer):
            connections.add(asyncio.current_task())
            try:
                while await self._answer(reader, writer):
                    pass
            except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for connection in connections:
                connection.cancel()
            await asyncio.gather(*connections, return_exceptions=True)

    async def _answer(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await reader.readexactly(int(headers.get("content-length", 0)))
            verb = "LIST" if "list-type=2" in head[0] else head[0].split()[0]
            self.requests.append((verb, headers))
            self.asked.set()
            return await self._respond(verb, writer)
        finally:
            self.at_once -= 1

    async def _respond(self, verb, writer):
        script = self.answers.get(verb, [200])
        answer = script.pop(0) if len(script) > 1 else script[0]
        if answer == HANG:
            await asyncio.Event().wait()
        if answer == CLOSE:
            return False
        body = LISTING if verb == "LIST" else self.body if verb == "GET" else b""
        status = 200 if answer == HALF else answer
        if status >= 300:
            body = b"<Error><Code>Scripted</Code><Message>secret</Message></Error>"
        writer.write(
            f'HTTP/1.1 {status} Said\r\nETag: "e"\r\nContent-Length: {len(body)}\r\n'
            "Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n\r\n".encode()
        )
        writer.write(body[: len(body) // 2] if answer == HALF else body)
        await writer.drain()
        return answer != HALF
