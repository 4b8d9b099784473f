"""RabbitMQ's permissions say what authority says: no more, and no less."""

import base64
import hashlib
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.authority import Authority
from libs.common.broker.rabbitmq.names import dead_queue, retry_queue, service_exchange
from libs.common.broker.rabbitmq.permissions import definitions, password_hash, users
from libs.common.broker.topology import EXCHANGE, UNDELIVER
from libs.common.contracts import CONTRACTS
from libs.common.tenants.model import PublisherRights

SERVICES = ("ingest", "classifier", "retractor", "audit")
OURS = frozenset({*SERVICES, "cli"})

words = st.text("abz019-", min_size=1, max_size=8).filter(lambda text: text[0] != "-")
types = st.one_of(
    st.sampled_from(sorted(CONTRACTS)),
    st.sampled_from(sorted(CONTRACTS)).map(lambda type_: type_.partition(".")[0] + ".*"),
    st.text("abz.*+?[](){}|\\^$-_019", min_size=1, max_size=12),  # a file of another version
)
publishers = st.lists(
    st.builds(
        PublisherRights,
        name=st.one_of(words.filter(lambda name: name not in SERVICES), st.just("cli")),
        types=st.lists(types, min_size=1, max_size=4).map(tuple),
    ),
    max_size=4,
    unique_by=lambda publisher: publisher.name,
)
routing_keys = st.one_of(
    types, st.text("abz.*019", max_size=12), st.sampled_from(sorted(CONTRACTS))
)


def made(authority, kind):
    every = definitions(authority, UNDELIVER, vhost="prod")[kind]
    assert all(each["vhost"] == "prod" for each in every)
    return {each["user"]: each for each in every}


def may(pattern, name):
    """Tell whether RabbitMQ would let this name pass: it searches, and anchors nothing itself."""
    return re.search(pattern, name) is not None


@settings(deadline=None)  # others use the machine, too
@given(publishers, routing_keys)
def test_a_publisher_may_route_exactly_what_authority_lets_it_say(given_, key):
    authority = Authority(given_)

    for name, topic in made(authority, "topic_permissions").items():
        assert topic["exchange"] == EXCHANGE
        refusal = authority.refusal(name, key, None)
        allowed = refusal not in {"type_not_allowed", "unknown_publisher"}
        assert may(topic["write"], key) is allowed, (name, key, topic["write"])


@settings(deadline=None)  # others use the machine, too
@given(publishers)
def test_everybody_has_both_kinds_of_permission(given_):
    authority = Authority(given_)
    everybody = OURS | {each.name for each in given_}

    # RabbitMQ lets a user without topic permissions publish every type.
    assert set(made(authority, "topic_permissions")) == everybody
    assert set(made(authority, "permissions")) == everybody
    assert set(users(authority)) == everybody


@settings(deadline=None)  # others use the machine, too
@given(publishers, st.sampled_from(UNDELIVER.queues))
def test_a_queue_is_read_by_its_service_and_written_by_nobody(given_, queue):
    authority = Authority(given_)
    places = [
        queue.name,
        dead_queue(queue.name),
        *(retry_queue(queue.name, step) for step in UNDELIVER.delay_steps_seconds),
    ]

    for name, rights in made(authority, "permissions").items():
        if name == "cli":
            continue
        for place in places:
            is_own = place == queue.name and name == queue.service
            assert may(rights["read"], place) is is_own
            assert not may(rights["write"], place)
            assert not may(rights["configure"], place)


@settings(deadline=None)  # others use the machine, too
@given(publishers)
def test_nobody_writes_to_anothers_exchange_nor_past_the_exchanges(given_):
    authority = Authority(given_)
    exchanges = ["amq.default", "amq.topic", "undeliver.replay", "xundeliver", "undeliverx"]
    exchanges += [service_exchange(service) for service in SERVICES]

    for name, rights in made(authority, "permissions").items():
        if name == "cli":
            assert not any(may(rights["write"], each) for each in exchanges if each[:4] == "amq.")
            continue
        assert may(rights["write"], EXCHANGE)
        for exchange in exchanges:
            consumes = any(queue.service == name for queue in UNDELIVER.queues)
            is_own = consumes and exchange == service_exchange(name)
            assert may(rights["write"], exchange) is is_own


@settings(deadline=None)  # others use the machine, too
@given(publishers)
def test_an_upstream_publisher_reads_nothing(given_):
    authority = Authority(given_)
    topics = made(authority, "topic_permissions")

    for name, rights in made(authority, "permissions").items():
        if name not in OURS:
            assert rights["read"] == rights["configure"] == topics[name]["read"] == "^$"
            assert rights["write"] == "^(undeliver)$"


def test_passwords_go_out_as_salted_hashes_only():
    authority = Authority([])
    passwords = {name: f"secret-of-{name}" for name in users(authority)}

    exported = definitions(authority, UNDELIVER, vhost="/", passwords=passwords)["users"]

    assert "secret" not in str(exported)
    assert {each["name"] for each in exported} == OURS
    assert all(each["tags"] == [] for each in exported)  # none may publish in another's name
    assert len({each["password_hash"] for each in exported}) == len(exported)
    assert "users" not in definitions(authority, UNDELIVER, vhost="/")


def test_a_password_is_hashed_as_rabbitmq_documents_it():
    # RabbitMQ, Access Control, Computing Password Hashes.
    assert (
        password_hash("test12", bytes.fromhex("908dc60a"))
        == base64.b64encode(
            bytes.fromhex("908dc60a")
            + hashlib.sha256(bytes.fromhex("908dc60a") + b"test12").digest()
        ).decode()
    )
    assert password_hash("test12", bytes.fromhex("908dc60a")) == (
        "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"
    )
