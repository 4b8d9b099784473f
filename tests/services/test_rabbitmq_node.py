"""A RabbitMQ of our own: it may be killed and frozen, and nothing of it stays."""

import asyncio
from pathlib import Path

import aio_pika
import pytest
from aiormq.exceptions import AMQPError

from tests.e2e.programs import processes_about
from tests.e2e.waiting import until
from tests.services.rabbitmq import private, programs_under_test
from tests.services.rabbitmq_node import BrokerStartError, Node
from tests.services.sessions import begin_session
from tests.services.vhosts import Vhost, fresh

QUORUM = {"x-queue-type": "quorum"}
_KILLED = """
import os, signal

async def test_the_session_is_killed(private_rabbitmq):
    private_rabbitmq.node.stop()  # even one that stands still
    print(f"<{private_rabbitmq.node.folder}>", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


async def publish(vhost: Vhost, count: int = 1) -> None:
    async with await aio_pika.connect(vhost.url_for("ingest")) as connection:
        channel = await connection.channel()
        await channel.declare_queue("q", durable=True, arguments=QUORUM)
        for _ in range(count):
            message = aio_pika.Message(b"{}", delivery_mode=2)
            await channel.default_exchange.publish(message, "q")


async def test_two_at_once_do_not_disturb_each_other_and_leave_nothing(spare_rabbitmq):
    async with private(programs_under_test()) as ended, fresh(ended) as theirs:
        await publish(theirs)
        folder = ended.node.folder
        assert len(processes_about(folder)) >= 2  # the server and its name service

    assert processes_about(folder) == {}
    assert not folder.exists()
    async with fresh(spare_rabbitmq) as vhost:
        await publish(vhost)
        assert (await vhost.queues())["q"].messages == 1


async def test_what_was_confirmed_outlives_a_kill(spare_rabbitmq):
    async with fresh(spare_rabbitmq) as vhost:
        await publish(vhost, 50)
        await spare_rabbitmq.node.save_register()
        spare_rabbitmq.node.kill()
        with pytest.raises((AMQPError, OSError)):
            await publish(vhost)
        await spare_rabbitmq.node.start()

        assert (await vhost.queues())["q"].messages == 50


async def test_a_frozen_one_confirms_nothing_until_it_goes_on(spare_rabbitmq):
    async with fresh(spare_rabbitmq) as vhost:
        await publish(vhost)
        spare_rabbitmq.node.stop()
        late = asyncio.ensure_future(publish(vhost))
        done, _ = await asyncio.wait([late], timeout=0.3)
        assert not done
        spare_rabbitmq.node.cont()
        await late

        assert (await vhost.queues())["q"].messages == 2


async def test_one_that_does_not_start_says_why_and_leaves_nothing(tmp_path):
    node = Node(programs_under_test(), tmp_path / "rabbitmq")
    node.folder.mkdir()
    (node.folder / "data").write_text("in the way", encoding="ascii")
    try:
        with pytest.raises(BrokerStartError, match="exit code"):
            await node.start()
    finally:
        node.close()

    assert processes_about(node.folder) == {}


@pytest.mark.timeout(150)
@pytest.mark.skipif(not Path("/proc").exists(), reason="only Linux ends children with the parent")
def test_nothing_outlives_a_session_that_is_killed(tmp_path):
    with begin_session(tmp_path, _KILLED) as session:
        said = session.communicate(timeout=120)[0]
    folder = Path(said.partition("<")[2].partition(">")[0])
    assert folder.name == "rabbitmq", said

    until(lambda: not processes_about(folder), "the server and its name service to end", 10)
