"""`undeliver broker topology`, as operators run it."""

from collections import Counter

import aio_pika
import pytest

from libs.common.broker.readiness import check_queues
from libs.common.broker.topology import CLASSIFIER_EVENTS, RETRACTOR_COMMANDS, UNDELIVER
from libs.common.errors import TransientError
from tests.broker.sites import OnPostgres, connect
from tests.commands import Ended, undeliver


def states(ended: Ended) -> Counter[tuple[str, str]]:
    return Counter((each["kind"], each["state"]) for each in ended.records)


def named(ended: Ended, name: str) -> dict[str, object]:
    return next(each for each in ended.records if each["name"] == name)


async def test_an_empty_broker_is_told_changes_by_a_check_and_made_complete_without(rabbit, broker):
    checked = await broker(rabbit, "topology", "--check", "--json")
    assert not await rabbit.vhost.queues()
    declared = await undeliver("broker", "topology", "--json", **rabbit.settings)
    again = await broker(rabbit, "topology", "--json")
    rechecked = await broker(rabbit, "topology", "--check", "--json")

    assert (checked.code, declared.code, again.code, rechecked.code) == (1, 0, 0, 0)
    assert {each["state"] for each in checked.records} == {"missing"}
    assert {each["state"] for each in declared.records} == {"declared"}
    assert states(again)["queue", "present"] == len(await rabbit.vhost.queues()) == 24
    assert states(again)["exchange", "present"] == states(rechecked)["exchange", "present"] == 5
    assert states(rechecked)["binding", "present"] == 6
    assert [each["name"] for each in checked.records] == [each["name"] for each in again.records]
    assert named(again, RETRACTOR_COMMANDS)["arguments"]["x-delivery-limit"] == 20


async def test_what_the_command_finds_missing_keeps_a_service_from_being_ready(rabbit, broker):
    await broker(rabbit, "topology", "--json")
    async with connect(rabbit, "ingest") as ingest:
        await check_queues(ingest)
        await rabbit.vhost.delete_queue(CLASSIFIER_EVENTS)

        with pytest.raises(TransientError, match=CLASSIFIER_EVENTS):
            await check_queues(ingest)
        checked = await broker(rabbit, "topology", "--check", "--json")
        assert (await broker(rabbit, "topology", "--json")).code == 0
        await check_queues(ingest)

    missing = [each["name"] for each in checked.records if each["state"] == "missing"]
    assert checked.code == 1
    assert missing == [
        CLASSIFIER_EVENTS,
        f"{CLASSIFIER_EVENTS} from undeliver.classifier",
        f"{CLASSIFIER_EVENTS} from undeliver.replay",
        f"{CLASSIFIER_EVENTS} for mail.journaled.v1",
    ]


async def test_what_exists_with_other_arguments_is_told_and_the_rest_is_declared(rabbit, broker):
    async with await aio_pika.connect(rabbit.vhost.admin_url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(
            RETRACTOR_COMMANDS, durable=True, arguments={"x-queue-type": "quorum"}
        )

    checked = await broker(rabbit, "topology", "--check", "--json")
    declared = await broker(rabbit, "topology", "--json")

    assert (checked.code, declared.code) == (1, 1)
    different = named(declared, RETRACTOR_COMMANDS)
    assert different["state"] == named(checked, RETRACTOR_COMMANDS)["state"] == "different"
    assert "x-" in different["detail"]
    assert "new version at the end of its name" in declared.err
    assert states(declared)["queue", "present"] == 23
    async with connect(rabbit, "ingest") as ingest:
        await check_queues(ingest)  # it does not ask how a queue is made


async def test_the_queue_in_postgres_is_only_checked_and_the_remedy_named(database, broker):
    site = OnPostgres(database)
    before = await broker(site, "topology", "--json")
    await site.declare()
    after = await broker(site, "topology", "--json")

    assert (before.code, after.code) == (1, 0)
    assert {each["state"] for each in before.records} == {"missing"}
    assert "undeliver database provision" in before.err
    assert {each["state"] for each in after.records} == {"present"}
    names = [each["name"] for each in after.records if each["kind"] == "queue"]
    assert names == [queue.name for queue in UNDELIVER.queues]


async def test_without_any_broker_the_ways_to_name_one_are_told(tmp_path):
    ended = await undeliver("broker", "topology", "--data", str(tmp_path))

    assert ended.code == 1
    assert "CLI_AMQP_URL" in ended.err
