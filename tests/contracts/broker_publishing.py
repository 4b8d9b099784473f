"""Publishing: to whom a message goes, when it is refused, and who is said to have sent it."""

import pytest

from libs.common.broker.topology import MAX_BODY_BYTES
from libs.common.errors import PermanentError, TransientError
from tests.contracts.broker_rig import (
    AUDIT,
    CLASSIFIER,
    COMMAND,
    COMMANDS,
    EVENTS,
    HAPPENED,
    UNHEARD,
    WIDER,
    ids,
    is_empty,
    message,
    take,
)


class PublishingContract:
    """Part of `BrokerContract`."""

    async def test_every_bound_queue_gets_a_message_once(
        self, ingest, classifier, retractor, audit
    ):
        await ingest.publish([message("m1", HAPPENED)])

        for broker, queue in ((classifier, CLASSIFIER), (retractor, EVENTS), (audit, AUDIT)):
            assert ids(await take(broker, queue)) == ["m1"]
            assert await is_empty(broker, queue)

    async def test_the_two_queues_of_a_service_stay_apart(self, ingest, retractor):
        await ingest.publish([message("event", HAPPENED), message("command", COMMAND)])

        assert ids(await take(retractor, COMMANDS)) == ["command"]
        assert ids(await take(retractor, EVENTS)) == ["event"]
        assert await is_empty(retractor, COMMANDS)
        assert await is_empty(retractor, EVENTS)

    async def test_a_queue_bound_to_everything_gets_what_nobody_else_hears(self, ingest, audit):
        await ingest.publish([message("m1", UNHEARD), message("m2", COMMAND)])

        assert ids(await take(audit, AUDIT, 2)) == ["m1", "m2"]

    @pytest.mark.parametrize(
        "published",
        [
            message(traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            message(tenant=None, causation_id=None),
            message(body='{"subject": "Prüfung \\u0000 \U0001f4e7"}'.encode()),
            message(body=b"\x00\xff not JSON at all"),
            message(body=b""),
        ],
        ids=["full", "bare", "unicode", "binary", "empty"],
    )
    async def test_a_message_arrives_as_it_was_published(self, ingest, classifier, published):
        await ingest.publish([published])

        [delivery] = await take(classifier, CLASSIFIER)

        assert delivery.message == published
        assert (delivery.queue, delivery.attempt, delivery.redelivered) == (CLASSIFIER, 1, False)

    async def test_many_messages_are_published_at_once(self, ingest, classifier):
        await ingest.publish([message(f"m{number:03}") for number in range(300)])

        taken = await take(classifier, CLASSIFIER, 300)

        assert ids(taken) == [f"m{number:03}" for number in range(300)]

    async def test_publishing_nothing_does_nothing(self, ingest, audit):
        await ingest.publish([])

        assert await is_empty(audit, AUDIT)

    async def test_a_message_published_twice_is_delivered_twice(self, ingest, classifier):
        await ingest.publish([message("m1")])
        await ingest.publish([message("m1")])

        assert ids(await take(classifier, CLASSIFIER, 2)) == ["m1", "m1"]

    async def test_the_largest_body_passes_and_one_byte_more_does_not(self, ingest, classifier):
        largest = message("m1", body=b"x" * MAX_BODY_BYTES)
        larger = message("m2", body=b"x" * (MAX_BODY_BYTES + 1))

        await ingest.publish([largest])
        with pytest.raises(PermanentError) as refused:
            await ingest.publish([larger])

        assert refused.value.reason == "message_too_large"
        [delivery] = await take(classifier, CLASSIFIER)
        assert delivery.message == largest
        assert await is_empty(classifier, CLASSIFIER)

    async def test_who_published_is_known_by_the_connection(self, rig, ingest, classifier):
        await ingest.publish([message("by-ingest", app_id="retractor")])
        await (await rig.connect("retractor")).publish([message("by-retractor", app_id="ingest")])

        deliveries = await take(classifier, CLASSIFIER, 2)

        assert {delivery.message.message_id: delivery.publisher for delivery in deliveries} == {
            "by-ingest": "ingest",
            "by-retractor": "retractor",
        }

    async def test_nothing_is_missing_where_all_is_declared(self, ingest):
        assert list(await ingest.missing()) == []

    async def test_an_absent_consumer_refuses_what_it_should_get_until_it_is_declared(
        self, rig, classifier, retractor
    ):
        wider = await rig.connect("ingest", topology=WIDER)
        late = WIDER.queues[-1].name

        assert [name for name in await wider.missing() if late in name]
        with pytest.raises(TransientError) as refused:
            await wider.publish([message("lost?", COMMAND)])
        assert refused.value.reason == "no_queue"
        await wider.publish([message("heard", HAPPENED)])

        await rig.declare(WIDER)
        assert list(await wider.missing()) == []
        await wider.publish([message("again", COMMAND)])
        consumer = await rig.connect("classifier", topology=WIDER)
        assert ids(await take(consumer, late)) == ["again"]
        # The refused one may have reached the others, but the absent one missed nothing.
        assert "again" in ids(await take(retractor, COMMANDS))
        assert ids(await take(classifier, CLASSIFIER)) == ["heard"]

    async def test_declaring_again_keeps_what_waits(self, rig, ingest, classifier):
        await ingest.publish([message("m1")])

        await rig.declare(WIDER)

        assert ids(await take(classifier, CLASSIFIER)) == ["m1"]
