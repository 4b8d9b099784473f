"""What the queue in Postgres promises beyond the broker's contract."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import asyncpg
import pytest

from libs.common.broker.port import Ack, DeadLetter
from libs.common.broker.postgres import PostgresBroker, Wakeups, declare, recover_claims
from libs.common.broker.topology import Queue, Topology
from libs.common.clock import SystemClock
from libs.common.errors import PermanentError, StartError, TransientError
from tests.contracts.broker_rig import (
    AUDIT,
    CLASSIFIER,
    COMMAND,
    COMMANDS,
    EVENTS,
    HAPPENED,
    TOPOLOGY,
    UNHEARD,
    WIDER,
    ids,
    is_empty,
    message,
    receive,
    take,
)

LEASE_SECONDS = 0.6


@pytest.fixture
async def connect(database):
    async with AsyncExitStack() as stack:

        async def open_broker(publisher, *, topology=TOPOLOGY, clock=None, **settings):
            return await stack.enter_async_context(
                PostgresBroker.open(
                    database.dsn_for(publisher),
                    topology=topology,
                    clock=clock or SystemClock(),
                    **settings,
                )
            )

        yield open_broker


@pytest.fixture
async def declared(database):
    await declare(database.superuser_dsn, TOPOLOGY)


@asynccontextmanager
async def signed_in(dsn):
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def test_before_anything_is_declared_all_is_missing_and_nothing_is_published(connect):
    ingest = await connect("ingest")

    assert list(await ingest.missing()) == [queue.name for queue in TOPOLOGY.queues]
    with pytest.raises(TransientError) as refused:
        await ingest.publish([message("m1")])
    assert refused.value.reason == "no_queue"


async def test_a_type_that_no_queue_is_bound_to_is_not_published(database, connect):
    deaf = Topology(queues=(Queue(CLASSIFIER, "classifier", (HAPPENED,)),))
    await declare(database.superuser_dsn, deaf)
    ingest = await connect("ingest", topology=deaf)

    with pytest.raises(TransientError) as refused:
        await ingest.publish([message("m1", UNHEARD), message("m2", HAPPENED)])

    assert refused.value.reason == "no_queue"


async def test_a_call_that_misses_a_queue_does_not_fail_those_that_share_its_commit(
    declared, connect
):
    ingest = await connect("ingest", topology=WIDER)

    answers = await asyncio.gather(
        ingest.publish([message("first", HAPPENED)]),
        ingest.publish([message("lost", COMMAND)]),
        ingest.publish([message("last", HAPPENED)]),
        return_exceptions=True,
    )

    assert [type(answer) for answer in answers] == [type(None), TransientError, type(None)]
    assert ids(await take(await connect("classifier"), CLASSIFIER, 2)) == ["first", "last"]


async def test_publishes_at_the_same_time_share_commits(database, declared, connect):
    ingest = await connect("ingest")

    await asyncio.gather(*(ingest.publish([message(f"m{number}")]) for number in range(200)))

    async with signed_in(database.superuser_dsn) as superuser:
        commits = await superuser.fetchval(
            "select count(distinct xmin::text) from broker.deliveries"
        )
    assert commits < 20


@pytest.mark.parametrize(
    "changes", [{"message_id": "m\0"}, {"correlation_id": "\ud800"}, {"tenant": "a\ncme"}]
)
async def test_a_property_that_cannot_be_stored_is_refused(declared, connect, changes):
    ingest = await connect("ingest")

    with pytest.raises(PermanentError) as refused:
        await ingest.publish([message(**changes)])

    assert refused.value.reason == "publish_refused"


async def test_only_a_publisher_publishes(database, declared, connect):
    broker_itself = await connect("broker")
    with pytest.raises(PermanentError) as refused:
        await broker_itself.publish([message()])
    assert refused.value.reason == "publish_refused"

    async with signed_in(database.superuser_dsn) as superuser:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await superuser.execute("select broker.caller()")


async def test_only_its_own_service_consumes_a_queue(declared, connect):
    ingest = await connect("ingest")
    await ingest.publish([message("m1")])
    retractor = await connect("retractor")

    async with retractor.subscribe(CLASSIFIER, prefetch=1) as subscription:
        with pytest.raises(PermanentError) as refused:
            await subscription.receive(1)
    assert refused.value.reason == "refused"

    classifier = await connect("classifier")
    async with (
        classifier.subscribe(CLASSIFIER, prefetch=1) as theirs,
        retractor.subscribe(EVENTS, prefetch=1) as own,
    ):
        [held] = await receive(theirs, 1)
        await receive(own, 1)
        await own.settle([(held, DeadLetter("mine"))])  # by its receipt, in its own queue
        await theirs.settle([(held, Ack())])
    assert await is_empty(classifier, CLASSIFIER)
    assert not await (await connect("cli")).dead_letters.waiting()


@pytest.mark.parametrize("table", ["queues", "bindings", "deliveries", "dead_letters"])
async def test_nobody_reads_or_writes_the_tables(database, declared, table):
    async with signed_in(database.dsn_for("retractor")) as retractor:
        for statement in ("select 1 from broker.{}", "delete from broker.{}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await retractor.execute(statement.format(table))


@pytest.mark.parametrize(
    "function", ["recover_claims()", "declare_topology(null,null,null,null,null)"]
)
async def test_nobody_but_the_owner_calls_what_is_the_owners(database, declared, function):
    async with signed_in(database.dsn_for("retractor")) as retractor:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await retractor.execute(f"select broker.{function}")


async def test_a_lease_runs_out_without_a_heartbeat(declared, connect, clock):
    # Its clock stands still: no heartbeat is ever due.
    frozen = await connect("classifier", clock=clock, lease_seconds=LEASE_SECONDS)
    await (await connect("ingest")).publish([message("m1")])

    async with frozen.subscribe(CLASSIFIER, prefetch=1) as subscription:
        [lost] = await receive(subscription, 1)
        [again] = await take(await connect("classifier"), CLASSIFIER)
        await subscription.settle([(lost, DeadLetter("too late"))])

    assert (again.message, again.redelivered, again.attempt) == (lost.message, True, 1)
    assert not await (await connect("cli")).dead_letters.waiting()


async def test_a_heartbeat_keeps_what_takes_longer_than_a_lease(declared, connect):
    slow = await connect("classifier", lease_seconds=LEASE_SECONDS)
    await (await connect("ingest")).publish([message("m1")])
    other = await connect("classifier")

    async with slow.subscribe(CLASSIFIER, prefetch=1) as subscription:
        [held] = await receive(subscription, 1)
        for _ in range(10):  # 1.5 s of silence
            assert await is_empty(other, CLASSIFIER)
        await subscription.settle([(held, Ack())])

    assert await is_empty(other, CLASSIFIER)


async def test_consumers_in_other_processes_are_woken(declared, connect, clock):
    # Own wake-ups each, as in two processes; and a clock that never comes to the next poll.
    classifier = await connect("classifier", clock=clock)
    ingest = await connect("ingest")

    async with classifier.subscribe(CLASSIFIER, prefetch=1) as subscription:
        async with asyncio.timeout(5):
            while clock.sleepers < 2:  # noqa: ASYNC110  # it polls and beats: it sleeps
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)  # and it listens
        await ingest.publish([message("m1")])
        assert ids(await receive(subscription, 1)) == ["m1"]


async def test_consumers_in_the_same_process_are_woken(declared, connect, clock):
    wakeups = Wakeups()
    classifier = await connect("classifier", clock=clock, wakeups=wakeups)
    ingest = await connect("ingest", clock=clock, wakeups=wakeups)

    async with classifier.subscribe(CLASSIFIER, prefetch=1) as subscription:
        for number in range(3):
            await ingest.publish([message(f"m{number}")])
            [delivery] = await receive(subscription, 1)
            await subscription.settle([(delivery, Ack())])


async def test_a_start_recovers_what_a_killed_process_held(database, declared, connect):
    await (await connect("ingest")).publish([message("m1")])
    doomed = await connect("classifier")
    async with doomed.subscribe(CLASSIFIER, prefetch=1) as subscription:
        await receive(subscription, 1)
        doomed._session._pool.terminate()
    classifier = await connect("classifier")
    assert await is_empty(classifier, CLASSIFIER)  # its lease is still long

    await recover_claims(database.superuser_dsn)

    [again] = await take(classifier, CLASSIFIER)
    assert (again.redelivered, again.attempt) == (True, 1)


async def test_dead_letters_are_seen_by_their_service_and_by_peoples_commands(declared, connect):
    await (await connect("ingest")).publish([message("m1")])
    classifier, retractor, cli = [
        await connect(name) for name in ("classifier", "retractor", "cli")
    ]
    async with classifier.subscribe(CLASSIFIER, prefetch=1) as subscription:
        [delivery] = await receive(subscription, 1)
        await subscription.settle([(delivery, DeadLetter("spent"))])

    [letter] = await cli.dead_letters.waiting()
    assert [letter] == await classifier.dead_letters.waiting()
    assert await retractor.dead_letters.waiting() == []
    assert not await retractor.dead_letters.replay(letter.dead_letter_id)
    assert await cli.dead_letters.replay(letter.dead_letter_id)


async def test_depths_tell_what_each_queue_holds(declared, connect):
    ingest = await connect("ingest")
    classifier = await connect("classifier")
    await ingest.publish([message(f"m{number}") for number in range(4)])
    async with classifier.subscribe(CLASSIFIER, prefetch=2) as subscription:
        _, dead = await receive(subscription, 2)
        await subscription.settle([(dead, DeadLetter("spent"))])
        await receive(subscription, 1)

        depths = {depth.queue: depth for depth in await ingest.depths()}

        one = depths[CLASSIFIER]
        assert (one.ready, one.held, one.delayed, one.dead) == (1, 2, 0, 1)
        assert one.oldest_ready_seconds > 0
        assert depths[COMMANDS].ready == 0
        assert depths[AUDIT].ready == 4


async def test_declaring_again_binds_exactly_what_is_named(database, declared, connect):
    ingest = await connect("ingest")
    await ingest.publish([message("before", HAPPENED)])
    narrower = replace(TOPOLOGY, queues=TOPOLOGY.queues[1:])

    await declare(database.superuser_dsn, narrower)
    await (await connect("ingest", topology=narrower)).publish([message("after", HAPPENED)])

    assert ids(await take(await connect("retractor"), EVENTS, 2)) == ["after", "before"]
    classifier = await connect("classifier")
    assert ids(await take(classifier, CLASSIFIER)) == ["before"]
    assert await is_empty(classifier, CLASSIFIER)


@pytest.mark.parametrize("as_role", ["superuser", "broker"])
async def test_the_owner_and_the_superuser_declare_in_turn(database, declared, as_role):
    dsn = database.superuser_dsn if as_role == "superuser" else database.dsn_for("broker")

    await declare(dsn, WIDER)


@pytest.mark.parametrize(
    "changed",
    [
        replace(TOPOLOGY, delivery_limit=7),
        replace(TOPOLOGY, queues=(replace(TOPOLOGY.queues[0], service="audit"),)),
    ],
    ids=["limit", "service"],
)
async def test_a_queue_that_would_change_is_a_clear_error(database, declared, changed):
    with pytest.raises(StartError, match=f"queue {CLASSIFIER} exists, of service classifier"):
        await declare(database.superuser_dsn, changed)
