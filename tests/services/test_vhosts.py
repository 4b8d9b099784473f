"""What every test may rely on in its virtual host."""

import asyncio

import aio_pika
import pytest
from aiormq.exceptions import AMQPError, ChannelAccessRefused, ChannelPreconditionFailed

from tests.services.vhosts import PUBLISHERS

QUORUM = {"x-queue-type": "quorum"}


async def _ignore(message):
    pass


@pytest.mark.parametrize("user", PUBLISHERS)
async def test_every_service_and_the_operator_can_work_in_it(vhost, user):
    async with await aio_pika.connect(vhost.url_for(user)) as connection:
        channel = await connection.channel()
        await channel.declare_queue("q", durable=True, arguments=QUORUM)
        message = aio_pika.Message(b"{}", user_id=user)
        await channel.default_exchange.publish(message, "q")

    assert (await vhost.queues())["q"].messages == 1


async def test_the_server_proves_who_published(vhost):
    async with await aio_pika.connect(vhost.url_for("ingest")) as connection:
        channel = await connection.channel()
        await channel.declare_queue("q", durable=True, arguments=QUORUM)
        forged = aio_pika.Message(b"{}", user_id="audit")
        with pytest.raises(ChannelPreconditionFailed):
            await channel.default_exchange.publish(forged, "q")


async def test_a_publisher_has_the_rights_that_it_was_given(vhost):
    await vhost.add_publisher("soar", configure="^$", write="^undeliver$", read="^$")

    async with await aio_pika.connect(vhost.url_for("soar")) as connection:
        channel = await connection.channel()
        with pytest.raises(ChannelAccessRefused):
            await channel.declare_queue("q", durable=True)


async def test_a_publisher_has_the_topics_that_it_was_given(vhost):
    await vhost.set_topic_permission("ingest", "undeliver", write="^mail[.]journaled[.]")
    async with await aio_pika.connect(vhost.url_for("ingest")) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange("undeliver", "topic", durable=True)
        queue = await channel.declare_queue("q", durable=True, arguments=QUORUM)
        await queue.bind(exchange, "#")
        await exchange.publish(aio_pika.Message(b"{}"), "mail.journaled.v1")
        with pytest.raises(ChannelAccessRefused):
            await exchange.publish(aio_pika.Message(b"{}"), "mail.retract.v1")


async def test_the_connections_of_one_user_are_closed_from_the_server_s_side(vhost):
    async with (
        await aio_pika.connect(vhost.url_for("ingest")) as meant,
        await aio_pika.connect(vhost.url_for("audit")) as spared,
    ):
        is_closed = asyncio.Event()
        meant.close_callbacks.add(lambda *_: is_closed.set())
        await vhost.close_connections("ingest")

        async with asyncio.timeout(10):
            await is_closed.wait()
        await spared.channel()


async def test_without_memory_nothing_is_confirmed_until_there_is_some_again(vhost):
    async with await aio_pika.connect(vhost.url_for("ingest")) as connection:
        channel = await connection.channel()
        await channel.declare_queue("q", durable=True, arguments=QUORUM)
        publish = channel.default_exchange.publish(aio_pika.Message(b"{}"), "q")
        async with asyncio.TaskGroup() as group:
            async with vhost.memory_alarm():
                published = group.create_task(publish)
                done, _ = await asyncio.wait([published], timeout=0.3)
                assert not done
            async with asyncio.timeout(10):
                await published


async def test_a_queue_tells_what_is_in_it_and_can_be_emptied_and_deleted(vhost):
    async with await aio_pika.connect(vhost.url_for("cli")) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("q", durable=True, arguments=QUORUM)
        for _ in range(3):
            await channel.default_exchange.publish(aio_pika.Message(b"{}"), "q")
        full = (await vhost.queues())["q"]
        await vhost.purge("q")
        await queue.consume(_ignore)
        empty = (await vhost.queues())["q"]
        await vhost.delete_queue("q")

        assert (full.messages, full.consumers, full.arguments) == (3, 0, QUORUM)
        assert (empty.messages, empty.consumers) == (0, 1)
        assert await vhost.queues() == {}


@pytest.mark.parametrize("turn", ["first", "second"])
async def test_each_test_begins_with_an_empty_virtual_host(vhost, turn):
    assert await vhost.queues() == {}


def test_a_test_without_an_event_loop_can_use_it_too(vhost):
    assert asyncio.run(vhost.queues()) == {}


async def test_a_user_of_a_virtual_host_that_is_gone_cannot_log_in(vhost):
    await vhost.server.management.delete("vhosts", vhost.name)

    with pytest.raises((AMQPError, OSError)):
        await aio_pika.connect(vhost.url_for("ingest"))


async def test_users_that_another_test_imported_are_made_ours_again(vhost):
    theirs = {"users": [{"name": "soar", "password_hash": "", "tags": []}]}
    await vhost.server.management.call("POST", "definitions", body=theirs)

    await vhost.add_publisher("soar")

    connection = await aio_pika.connect(vhost.url_for("soar"))
    await connection.close()
