"""A replay is on record before it is done, whatever happens in between."""

from dataclasses import replace

import pytest

from libs.common.broker.port import DeadLettered, Delivery
from libs.common.broker.topology import RETRACTOR_COMMANDS, UNDELIVER
from libs.common.contracts.operation import DeliveryReplayed
from libs.common.errors import TransientError
from services.broker.letters import Wanted, body
from services.broker.replaying import Replay
from tests.audit.messages import MADE_AT
from tests.broker.sites import command
from tests.fakes.broker import Exchange, MemoryBroker

DIED_AT = MADE_AT.replace(hour=10)


@pytest.fixture
def exchange(clock) -> Exchange:
    return Exchange(clock, UNDELIVER)


@pytest.fixture
def cli(exchange) -> MemoryBroker:
    return MemoryBroker(exchange, "cli")


@pytest.fixture
def replay(cli, clock) -> Replay:
    return Replay(cli.dead_letters, cli, clock, "dana")


def buried(exchange, reason="spent", letter_id="letter", publisher="soar", **changes):
    """Put a letter among the dead, and return it."""
    message = replace(command("m1"), **changes)
    delivery = Delivery(message, publisher, RETRACTOR_COMMANDS, 5, False, None)
    letter = DeadLettered(letter_id, delivery, reason, DIED_AT)
    exchange.letters[letter_id] = letter
    return letter


def records(exchange):
    return [
        each.message for each in exchange.entries if each.message.type == "delivery.replayed.v1"
    ]


def told(exchange) -> DeliveryReplayed:
    [message] = records(exchange)
    return DeliveryReplayed.model_validate_json(message.body)


async def test_a_replay_that_breaks_off_is_announced_under_the_same_id_by_the_next(
    exchange, cli, clock, replay
):
    letter = buried(exchange)
    elsewhere = MemoryBroker(Exchange(clock, UNDELIVER), "cli").dead_letters

    await replace(replay, dead_letters=elsewhere)(letter)  # on record, and not done
    assert exchange.letters

    assert await replay(letter) == "replayed"
    first, second = records(exchange)
    assert (first.message_id, first.body) == (second.message_id, second.body)


async def test_what_cannot_be_put_on_record_is_not_replayed(exchange, cli, replay):
    letter = buried(exchange)
    cli.failures = 1

    with pytest.raises(TransientError):
        await replay(letter)

    assert list(exchange.letters) == ["letter"]
    assert not exchange.entries


async def test_a_letter_that_another_one_was_faster_to_replay_is_not_there(exchange, cli, replay):
    letter = buried(exchange)
    await cli.dead_letters.replay("letter")

    assert await replay(letter) == "not_there"


async def test_each_person_and_each_death_has_a_record_of_its_own(exchange, cli, clock, replay):
    other = Replay(cli.dead_letters, cli, clock, "erin")
    first = buried(exchange)
    for one in (
        replay(first),
        other(first),
        replay(replace(first, dead_letter_id="letter-2")),
        replay(replace(first, dead_lettered_at=DIED_AT.replace(minute=5))),
    ):
        await one

    assert len({each.message_id for each in records(exchange)}) == 4


async def test_the_record_follows_from_the_letter(exchange, replay):
    await replay(buried(exchange))

    [message] = records(exchange)
    assert (message.correlation_id, message.causation_id) == ("cause-1", "m1")
    assert (message.tenant, message.app_id) == ("acme", "undeliver-cli")
    assert told(exchange) == DeliveryReplayed(
        tenant="acme",
        queue=RETRACTOR_COMMANDS,
        dead_type="mail.retract.v1",
        dead_message_id="m1",
        publisher="soar",
        reason="spent",
        dead_lettered_at=DIED_AT,
        attempt=5,
        requested_by="dana",
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": "not_authorised"},  # whoever was refused may have named any tenant
        {"reason": "delivery_limit"},  # nobody ever looked whether he may
        {"reason": "expired"},
        {"body": b"not json"},
        {"tenant": "globex"},  # not what the body says
        {"type": "mail.unheard.v1"},
    ],
)
async def test_what_was_not_understood_is_on_record_under_no_tenant(exchange, replay, changes):
    await replay(buried(exchange, **changes))

    assert told(exchange).tenant is None
    assert records(exchange)[0].tenant is None


@pytest.mark.parametrize(
    "changes",
    [{"message_id": ""}, {"message_id": "m\n1"}, {"correlation_id": "x" * 300}],
)
async def test_ids_that_no_broker_takes_from_us_do_not_keep_a_letter_from_its_replay(
    exchange, replay, changes
):
    letter = buried(exchange, **changes)

    assert await replay(letter) == "replayed"

    [message] = records(exchange)
    assert (message.causation_id, message.correlation_id) == (None, "letter")
    assert told(exchange).dead_message_id == letter.delivery.message.message_id


def test_everything_that_is_said_narrows_and_nothing_widens(exchange):
    letter = buried(exchange, tenant=None)

    assert Wanted().includes(letter)
    assert Wanted(tenant="-", publisher="soar", since=DIED_AT, ids=["letter"]).includes(letter)
    for other in (
        Wanted(ids=[]),
        Wanted(tenant="acme"),
        Wanted(queue="another"),
        Wanted(type="mail.classified.v1"),
        Wanted(publisher="cli"),
        Wanted(reason="other"),
        Wanted(since=DIED_AT.replace(hour=11)),
    ):
        assert not other.includes(letter)


@pytest.mark.parametrize("raw", [b"", b"{", b"[NaN]", b"\xff", b"[" * 100_000, b"9" * 5000])
def test_a_body_that_is_no_json_is_shown_as_text(exchange, raw):
    shown = body(buried(exchange, body=raw))

    assert shown["body"] is None
    assert shown["body_text"] == raw.decode("utf-8", "replace")
