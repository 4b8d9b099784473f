"""Exchange Online at its fastest: several connections, and no pause between reports."""

import asyncio
from collections.abc import Iterator, Sequence

CONNECTIONS = 8
_REPLY_SECONDS = 60.0


async def send_all(port: int, reports: Sequence[bytes], *, mail_from: str, to: str) -> None:
    """Hand all over and return when each has its 250."""
    waiting = iter(reports)
    async with asyncio.TaskGroup() as group:
        for _ in range(min(CONNECTIONS, len(reports))):
            group.create_task(_connection(port, waiting, mail_from, to))


async def _connection(port: int, waiting: Iterator[bytes], mail_from: str, to: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        await _reply(reader, b"220")
        await _say(reader, writer, b"EHLO bench.example\r\n", b"250")
        for report in waiting:
            await _say(reader, writer, f"MAIL FROM:<{mail_from}>\r\n".encode(), b"250")
            await _say(reader, writer, f"RCPT TO:<{to}>\r\n".encode(), b"250")
            await _say(reader, writer, b"DATA\r\n", b"354")
            stuffed = report.replace(b"\r\n.", b"\r\n..").removesuffix(b"\r\n")
            await _say(reader, writer, stuffed + b"\r\n.\r\n", b"250")
    finally:
        writer.close()


async def _say(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: bytes, expected: bytes
) -> None:
    writer.write(line)
    await _reply(reader, expected)


async def _reply(reader: asyncio.StreamReader, expected: bytes) -> None:
    async with asyncio.timeout(_REPLY_SECONDS):
        while (line := await reader.readline())[3:4] == b"-":
            pass
    if not line.startswith(expected):
        raise AssertionError(f"ingest answered {line!r}")
