"""The faults that other tests rely on, on plain sockets from a test without an event loop."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from tests.e2e.waiting import until
from tests.faults.link import Direction
from tests.faults.proxy import Network, network_before

#: Nothing here takes this long; it only ends what hangs.
PATIENCE_SECONDS = 10
#: Long enough to show that nothing comes.
SILENCE_SECONDS = 0.2


class Echo:
    """A server that sends back what it gets, and counts it."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"amqp://user:secret@127.0.0.1:{self._listener.getsockname()[1]}/vhost"
        self.received = 0
        self.open: list[socket.socket] = []
        self.heard_an_end = threading.Event()

    def work(self) -> None:
        with suppress(OSError):  # closed
            while True:
                connection, _ = self._listener.accept()
                self.open.append(connection)
                threading.Thread(target=self._answer, args=(connection,)).start()

    def close(self) -> None:
        with suppress(OSError):  # twice
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self.open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, connection: socket.socket) -> None:
        with closing(connection), suppress(OSError):
            while piece := connection.recv(65536):
                self.received += len(piece)
                connection.sendall(piece)
        self.heard_an_end.set()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    thread = threading.Thread(target=server.work)
    thread.start()
    yield server
    server.close()
    thread.join()


@pytest.fixture
def network(echo) -> Iterator[Network]:
    with network_before(echo.url) as network:
        yield network


@pytest.fixture
def client(network) -> Iterator[socket.socket]:
    with connected(network) as connection:
        yield connection


def connected(network: Network) -> socket.socket:
    return socket.create_connection(("127.0.0.1", network.port), timeout=PATIENCE_SECONDS)


def exchange(client: socket.socket, sent: bytes = b"hello") -> bytes:
    client.sendall(sent)
    return receive(client, len(sent))


def receive(client: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size and (piece := client.recv(size - len(received))):
        received += piece
    return received


def is_silent(client: socket.socket) -> bool:
    client.settimeout(SILENCE_SECONDS)
    try:
        return client.recv(1) is None
    except TimeoutError:
        return True
    finally:
        client.settimeout(PATIENCE_SECONDS)


def test_an_address_leads_through_it_with_the_same_login_path_and_parameters(network):
    assert (
        network.through("amqp://soar:p%40ss@rabbit.example/a%2Fb?heartbeat=2")
        == f"amqp://soar:p%40ss@127.0.0.1:{network.port}/a%2Fb?heartbeat=2"
    )


def test_what_is_sent_arrives_as_it_was_sent(client):
    sent = bytes(range(256)) * 4096
    sender = threading.Thread(target=client.sendall, args=(sent,))
    sender.start()

    assert receive(client, len(sent)) == sent
    sender.join()


def test_a_close_on_one_side_is_a_close_on_the_other(client, network):
    exchange(client)
    client.shutdown(socket.SHUT_WR)

    assert client.recv(1) == b""
    until(lambda: network.connections == 0, "the connection to be gone")


def test_a_reset_on_one_side_is_a_reset_on_the_other(client, network):
    exchange(client)
    network.reset()

    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_a_cut_is_an_orderly_close(client, network):
    exchange(client)
    network.cut()

    assert client.recv(1) == b""
    assert network.connections == 0


def test_a_delay_counts_in_each_direction_and_keeps_the_order(client, network):
    network.delay(0.15)
    begun_at = time.monotonic()
    client.sendall(b"one, ")
    time.sleep(0.05)
    client.sendall(b"two")

    assert receive(client, 8) == b"one, two"
    assert time.monotonic() - begun_at >= 0.3


def test_a_limit_holds_back_what_exceeds_it(client, network):
    network.limit(100_000)
    begun_at = time.monotonic()

    assert len(exchange(client, bytes(30_000))) == 30_000
    assert time.monotonic() - begun_at >= 0.3


def test_a_half_open_connection_takes_everything_and_gives_nothing(client, network, echo):
    exchange(client)
    network.swallow()
    client.sendall(b"lost")

    assert is_silent(client)
    assert echo.received == len(b"hello")
    assert network.connections == 1


def test_a_new_connection_while_half_open_is_accepted_and_swallowed(network, echo):
    network.swallow()
    with connected(network) as client:
        client.sendall(b"lost")

        assert is_silent(client)
    assert echo.received == 0


def test_a_forgotten_connection_is_half_open_and_a_new_one_is_well(client, network):
    exchange(client)
    network.forget()
    client.sendall(b"lost")

    with connected(network) as another:
        assert exchange(another) == b"hello"
    assert is_silent(client)


def test_what_is_half_open_one_way_carries_the_other_way(client, network, echo):
    exchange(client)
    network.swallow(Direction.TO_CLIENT)
    client.sendall(b"heard")

    until(lambda: echo.received == len(b"hello" + b"heard"), "the server to hear")
    assert is_silent(client)


def test_the_server_does_not_learn_that_a_half_open_connection_was_closed(network, echo):
    with connected(network) as client:
        exchange(client)
        network.swallow()

    assert not echo.heard_an_end.wait(SILENCE_SECONDS)


def test_a_connection_that_lost_bytes_is_reset_when_all_is_well_again(client, network):
    exchange(client)
    network.swallow()
    client.sendall(b"lost")
    assert is_silent(client)
    network.resume()

    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_after_so_many_bytes_every_connection_is_reset(network, echo):
    network.drop_after(8)
    for _ in range(2):
        with connected(network) as client:
            client.sendall(b"0123456789")
            with pytest.raises(ConnectionResetError):
                receive(client, 10)

    until(lambda: echo.received == 16, "the server to have got no more, and no less")


def test_what_was_carried_before_does_not_count(client, network):
    exchange(client, b"0123456789")
    network.drop_after(8)

    assert exchange(client, b"0123456") == b"0123456"


def test_refused_is_who_comes_anew(client, network):
    exchange(client)
    network.refuse()

    with pytest.raises(ConnectionRefusedError):
        connected(network)
    assert exchange(client) == b"hello"


def test_all_is_well_again_on_the_same_port(network):
    network.refuse()
    network.delay(60)
    network.limit(1)
    network.drop_after(1)
    network.resume()

    with connected(network) as client:
        assert exchange(client) == b"hello"


def test_where_the_server_is_gone_a_connection_is_reset(network, echo):
    echo.close()
    with pytest.raises(ConnectionResetError), connected(network) as client:
        client.recv(1)


def test_nothing_of_it_stays(echo):
    before = set(threading.enumerate())
    with network_before(echo.url) as network, connected(network) as client:
        exchange(client)
    until(lambda: set(threading.enumerate()) <= before, "its thread to end")

    with pytest.raises(ConnectionRefusedError):
        connected(network)


async def test_a_database_on_a_socket_is_reached_through_it_too(database):
    import asyncpg

    dsn = database.dsn_for("ingest")
    with network_before(dsn) as network:
        connection = await asyncpg.connect(network.through(dsn))
        try:
            assert await connection.fetchval("select current_user") == "undeliver_ingest"
        finally:
            await connection.close()
