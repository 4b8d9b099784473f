"""On a RabbitMQ that somebody else runs."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import quote, urlencode, urlsplit

import aio_pika
import pytest
import pytest_asyncio

from tests.services.choice import UnavailableError
from tests.services.foreign_rabbitmq import examine, server_at, use
from tests.services.vhosts import PUBLISHERS, RabbitServer, fresh


@pytest_asyncio.fixture
async def foreign(spare_rabbitmq) -> AsyncIterator[RabbitServer]:
    """Give a server as somebody else has it: with an administrator, and no user of ours."""
    await _forget_users(spare_rabbitmq)
    yield spare_rabbitmq
    await _forget_users(spare_rabbitmq)


async def _forget_users(server: RabbitServer) -> None:
    for name in await users(server) - {server.management.user}:
        await server.management.delete("users", name)
    server.users.clear()


async def users(server: RabbitServer) -> set[str]:
    return {user["name"] for user in await server.management.get("users")}


async def virtual_hosts(server: RabbitServer) -> set[str]:
    return {row["name"] for row in await server.management.get("vhosts")}


def address(server: RabbitServer, user: str = "", password: str = "") -> str:
    """Return how its owner names it, or one of its users."""
    place = urlsplit(server.admin_url())
    login = f"{quote(user)}:{quote(password)}" if user else place.netloc.rpartition("@")[0]
    api = urlencode({"management": server.management.url})
    return f"amqp://{login}@{server.host}:{server.port}/?{api}"


async def test_an_administrator_s_login_is_enough(foreign):
    version = await examine(address(foreign), unused=True)

    assert version == foreign.version
    async with use(address(foreign), version) as server, fresh(server) as vhost:
        await vhost.add_publisher("soar")
        for user in (*PUBLISHERS, "soar"):
            connection = await aio_pika.connect(vhost.url_for(user))
            await connection.close()


async def test_nothing_of_ours_stays_there(foreign):
    before = await users(foreign), await virtual_hosts(foreign)
    async with use(address(foreign), foreign.version) as server, fresh(server):
        assert await users(foreign) > before[0]

    assert (await users(foreign), await virtual_hosts(foreign)) == before


async def test_a_session_that_ends_leaves_the_users_of_another_one(foreign):
    async with use(address(foreign), "") as staying, fresh(staying) as vhost:
        async with use(address(foreign), "") as ending, fresh(ending):
            pass

        connection = await aio_pika.connect(vhost.url_for("audit"))
        await connection.close()


async def test_users_that_another_session_took_back_are_made_again(foreign):
    async with use(address(foreign), "") as staying:
        async with fresh(staying):
            pass
        async with use(address(foreign), "") as ending, fresh(ending):
            pass
        async with fresh(staying) as vhost:
            connection = await aio_pika.connect(vhost.url_for("audit"))
            await connection.close()


async def test_the_connections_of_one_user_can_be_closed_there_too(foreign):
    async with (
        use(address(foreign), "") as server,
        fresh(server) as vhost,
        await aio_pika.connect(vhost.url_for("ingest")) as connection,
    ):
        closed = asyncio.Event()
        connection.close_callbacks.add(lambda *_: closed.set())
        await vhost.close_connections("ingest")

        async with asyncio.timeout(10):
            await closed.wait()


async def test_a_server_with_users_of_a_real_undeliver_is_left_alone(foreign):
    await foreign.management.put("users", "ingest", body={"password": "theirs", "tags": ""})

    with pytest.raises(UnavailableError, match="not ours to change: ingest"):
        await examine(address(foreign), unused=True)


async def test_a_publisher_whose_name_is_taken_is_refused(foreign):
    await foreign.management.put("users", "soar", body={"password": "theirs", "tags": ""})

    async with use(address(foreign), "") as server, fresh(server) as vhost:
        with pytest.raises(UnavailableError, match="user `soar`"):
            await vhost.add_publisher("soar")


async def test_a_login_that_may_not_create_is_not_enough(foreign):
    body = {"password": "guest", "tags": "management"}
    await foreign.management.put("users", "unable", body=body)

    with pytest.raises(UnavailableError, match="unable is no administrator"):
        await examine(address(foreign, "unable", "guest"), unused=True)


async def test_a_server_that_does_not_answer_is_none():
    with pytest.raises(UnavailableError, match="no management API"):
        await examine("amqp://guest:guest@127.0.0.1:1/", unused=True)


async def test_a_local_server_is_never_looked_for_on_another_machine():
    with pytest.raises(UnavailableError, match="not this machine"):
        await examine("amqp://guest:guest@rabbit.example.com/", unused=True)


@pytest.mark.parametrize(
    ("url", "api"),
    [
        ("amqp://u:p@rabbit.example/", "http://rabbit.example:15672"),
        ("amqps://u:p@rabbit.example/", "https://rabbit.example:15671"),
        (
            "amqp://u:p@rabbit.example/?management=https://api.example:443/",
            "https://api.example:443",
        ),
    ],
)
def test_the_management_api_is_where_it_usually_is_or_where_the_address_says(url, api):
    assert server_at(url).management.url == api
