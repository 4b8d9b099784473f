"""The bytes of a message arrive as they were sent, whatever they are and however they are split."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.adapters.smtp.transparency import Unstuffer, read_message
from tests.ingest.listening import ACME, connected

#: The same examples in every run: a red one is red for everybody.
FIXED = settings(deadline=None, derandomize=True, database=None)


class Collected:
    """Keeps what it gets."""

    def __init__(self):
        self.octets = b""
        self.pieces = 0

    async def write(self, chunk):
        self.octets += chunk
        self.pieces += 1


def stuffed(message: bytes) -> bytes:
    """Return a message as a client sends it (RFC 5321 §4.5.2), its end included."""
    return (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"


async def received(octets: bytes, splits: list[int], *, limit: int = 64) -> tuple[bytes, bytes]:
    """Return what is read of these bytes, sent in pieces, and what is left in the reader."""
    reader, sink = asyncio.StreamReader(limit=limit), Collected()

    async def send():
        for start, stop in zip([0, *splits], [*splits, len(octets)], strict=True):
            reader.feed_data(octets[start:stop])
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(send())
        tasks.create_task(read_message(reader, sink))
    reader.feed_eof()
    return sink.octets, await reader.read()


#: Bytes that mean something here are frequent.
ODD = st.lists(st.sampled_from([b"\r", b"\n", b".", b"\r\n", b"\r\n.", b"x"])).map(b"".join)


@settings(FIXED, max_examples=300)
@given(message=ODD, splits=st.lists(st.integers(0, 400)), following=ODD)
def test_any_message_survives_any_split_and_what_follows_stays(message, splits, following):
    message += b"\r\n" if message else b""
    octets = stuffed(message) + following
    places = sorted(min(place, len(octets)) for place in splits)

    assert asyncio.run(received(octets, places)) == (message, following)


@pytest.mark.parametrize("size", [0, 1, 61, 62, 63, 64, 65, 66, 67, 127, 128, 129, 1000])
async def test_the_end_is_found_wherever_it_falls_in_the_readers_buffer(size):
    message = b"x" * size + b"\r\n"

    assert await received(stuffed(message) + b"QUIT\r\n", []) == (message, b"QUIT\r\n")


@pytest.mark.parametrize("at", range(1, 6))
async def test_an_end_that_is_split_between_segments_is_one(client, keeper, at):
    await client.begin()
    octets = b"hello\r\n.\r\n"
    await client.send(octets[: len(octets) - at])
    await asyncio.sleep(0.01)
    await client.send(octets[len(octets) - at :])

    assert (await client.reply()).startswith("250")
    assert keeper.contents == [b"hello\r\n"]


@pytest.mark.parametrize("line", [b".", b"..", b".x", b"...", b". ", b""])
async def test_lines_that_begin_with_a_dot_come_back(client, keeper, line):
    message = b"a\r\n" + line + b"\r\nb\r\n"
    await client.begin()
    await client.send(stuffed(message))

    assert (await client.reply()).startswith("250")
    assert keeper.contents == [message]


@pytest.mark.parametrize(
    "almost",
    [
        b"\n.\n",
        b"\n.\r\n",
        b"\r.\r",
        b"\r.\r\n",
        b"\n.\r",
        b"\r\n.\n",
        b"\r\n.\r",
        b"\r\n\x00.\r\n",
    ],
)
async def test_what_only_looks_like_the_end_smuggles_nothing_in(client, keeper, almost):
    inner = f"MAIL FROM:<evil@x.example>\r\nRCPT TO:<{ACME}>\r\nDATA\r\nevil\r\n".encode()
    message = b"outer" + almost + inner
    await client.begin()
    await client.send(message + b".\r\n")

    assert (await client.reply()).startswith("250")
    (mail,) = keeper.kept
    # A dot after CRLF is the client's stuffing; everything else is as it was.
    assert mail.content == message.replace(b"\r\n.", b"\r\n")
    assert (await client.say("NOOP")).startswith("250")


@pytest.mark.parametrize("length", [999, 3_172, 300_000, 900_000])
async def test_lines_of_any_length_are_taken(client, keeper, length):
    message = b"Subject: x\r\n\r\n" + b"y" * length + b"\r\n"

    assert (await client.deliver(message)).startswith("250")
    assert keeper.contents == [message]


async def test_any_octets_are_taken(client, keeper):
    message = bytes(range(256)) * 20 + b"\x00\xff\xfe\r\r\n\n\r\n"

    assert (await client.deliver(message)).startswith("250")
    assert keeper.contents == [message]


async def test_an_empty_message_is_one(client, keeper):
    assert (await client.deliver(b"")).startswith("250")
    assert keeper.contents == [b""]


async def test_large_messages_wait_on_disk_and_are_the_same(keeper, tmp_path):
    message = (b"z" * 76 + b"\r\n") * 10_000

    async with connected(keeper, memory_bytes=1000, spool_folder=tmp_path) as client:
        assert (await client.deliver(message)).startswith("250")

    assert keeper.contents == [message]
    assert list(tmp_path.iterdir()) == []


@settings(FIXED)
@given(st.lists(ODD))
def test_unstuffing_in_pieces_is_unstuffing_at_once(pieces):
    unstuffer = Unstuffer()
    whole = b"".join(pieces)

    fed = [unstuffer.feed(piece) for piece in (b"\r\n", *pieces)]
    out = b"".join(fed) + unstuffer.finish()

    assert out == (b"\r\n" + whole).replace(b"\r\n.", b"\r\n")[2:]


async def test_lines_that_end_with_a_dot_do_not_come_one_by_one():
    message = b"x.\r\n" * 100_000
    reader, sink = asyncio.StreamReader(limit=100_000), Collected()
    reader.feed_data(stuffed(message))

    await read_message(reader, sink)

    assert sink.octets == message
    assert sink.pieces < 10
