"""The database, queues and folder that all services of one process stand on."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from hashlib import sha256
from uuid import uuid4

import asyncpg
import pytest

from libs.common.blobs.keys import blob_key
from libs.common.broker.beside import beside
from libs.common.broker.port import Ack, Message
from libs.common.broker.topology import AUDIT_EVENTS, CLASSIFIER_EVENTS
from libs.common.clock import SystemClock
from libs.common.errors import PermanentError, TransientError
from libs.common.tenants.current import CurrentConfiguration
from libs.common.tenants.model import Configuration
from services.embedded.foundation import foundation
from tests.services.places import open_place
from tests.services.postgres import programs_under_test

_NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
_CONFIGURATION = Configuration.model_validate(
    {
        "service_domain": "undeliver.example",
        "publishers": [{"name": "soar", "types": ["mail.retract.v1"]}],
        "tenants": [
            {
                "id": "acme",
                "microsoft_tenant_id": "11111111-1111-4111-8111-111111111111",
                "domains": ["acme.example"],
                "journal": {"token": "a" * 26},
                "graph": {"client_id": "c", "client_secret": "env:NOT_NEEDED_HERE"},
            }
        ],
    }
)


@pytest.fixture
def place():
    with open_place() as folder:
        yield folder


def standing_on(place, configuration=None):
    configuration = configuration or CurrentConfiguration(_CONFIGURATION)
    binaries = programs_under_test().folder
    return foundation(place / "data", configuration, SystemClock(), binaries=binaries)


def journaled():
    return Message(
        message_id=str(uuid4()),
        type="mail.journaled.v1",
        body=b"{}",
        tenant="acme",
        correlation_id=str(uuid4()),
        causation_id=None,
        timestamp=_NOW,
        app_id="test",
    )


async def test_what_was_kept_and_queued_is_there_at_the_next_start_even_if_it_was_being_handled(
    place,
):
    message, key = journaled(), blob_key("acme", _NOW, sha256(b"raw mail").hexdigest())
    async with standing_on(place) as base, base.broker("ingest") as ingest:
        await base.blobs.put(key, b"raw mail")
        await ingest.publish([message])
    async with standing_on(place) as base:
        # As `kill -9` leaves it: handed out, and never settled.
        claims = await asyncpg.connect(base.server.dsn(database="undeliver"))
        await claims.execute(
            "update broker.deliveries set available_at = now() + interval '1 hour',"
            " claim = 1, claimed_by = gen_random_uuid(), handed_out = 1"
        )
        await claims.close()

    async with standing_on(place) as base, base.broker("classifier") as classifier:
        async with classifier.subscribe(CLASSIFIER_EVENTS, prefetch=1) as subscription:
            (delivery,) = await subscription.receive(1)
            await subscription.settle([(delivery, Ack())])

        assert delivery.message == message
        assert (delivery.publisher, delivery.attempt) == ("ingest", 1)
        assert await base.blobs.get(key) == b"raw mail"


async def test_each_publisher_of_the_configuration_speaks_under_its_own_name_and_no_other_does(
    place,
):
    message = journaled()
    async with standing_on(place) as base:
        async with base.broker("soar") as soar, base.broker("audit") as audit:
            await soar.publish([message])
            async with audit.subscribe(AUDIT_EVENTS, prefetch=1) as subscription:
                (delivery,) = await subscription.receive(1)
            with pytest.raises(PermanentError):
                async with soar.subscribe(AUDIT_EVENTS, prefetch=1) as subscription:
                    await subscription.receive(1)
        with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
            await asyncpg.connect(base.dsn("nobody"))

    assert delivery.publisher == "soar"


async def test_a_publisher_that_the_configuration_comes_to_name_may_speak_from_then_on(place):
    configuration = CurrentConfiguration(_CONFIGURATION)
    siem = _CONFIGURATION.publishers[0].model_copy(update={"name": "siem"})
    async with standing_on(place, configuration) as base, beside(base.provide_publishers()):
        configuration.replace(_CONFIGURATION.model_copy(update={"publishers": (siem,)}))
        async with asyncio.timeout(20), AsyncExitStack() as held:
            while True:
                try:
                    connected = await held.enter_async_context(base.broker("siem"))
                except TransientError:
                    await asyncio.sleep(0.05)
                else:
                    break
            await connected.publish([journaled()])
