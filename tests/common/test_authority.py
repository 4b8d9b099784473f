"""Who may say what."""

import pytest

from libs.common.authority import Authority
from libs.common.contracts import CONTRACTS
from libs.common.tenants.model import PublisherRights

SOAR = PublisherRights(name="soar", types=("mail.retract.v1", "indicator.*"), tenants=("acme",))
CONSOLE = PublisherRights(name="console", types=("*",))

AUTHORITY = Authority([SOAR, CONSOLE])


@pytest.mark.parametrize(
    ("publisher", "type_", "tenant", "refusal"),
    [
        ("soar", "mail.retract.v1", "acme", None),
        ("soar", "indicator.published.v1", "acme", None),
        ("soar", "mail.retract.v1", "globex", "tenant_not_allowed"),
        ("soar", "indicator.published.v1", None, "tenant_not_allowed"),  # concerns every tenant
        ("soar", "mail.retract.v2", "acme", "type_not_allowed"),
        ("soar", "mail.journaled.v1", "acme", "type_not_allowed"),
        ("console", "mail.retract.v1", "globex", None),
        ("console", "indicator.published.v1", None, None),
        ("nobody", "mail.retract.v1", "acme", "unknown_publisher"),
        ("", "mail.retract.v1", "acme", "unknown_publisher"),
        ("Soar", "mail.retract.v1", "acme", "unknown_publisher"),
        ("ingest", "mail.journaled.v1", "acme", None),
        ("ingest", "mail.held.v1", None, None),
        ("ingest", "mail.retract.v1", "acme", "type_not_allowed"),
        ("classifier", "mail.retract.v1", "acme", None),
        ("classifier", "mail.journaled.v1", "acme", "type_not_allowed"),
        ("retractor", "copy.settled.v1", "acme", None),
        ("retractor", "mail.retract.v1", "acme", "type_not_allowed"),
        ("audit", "delivery.dead_lettered.v1", None, None),
        ("audit", "copy.settled.v1", "acme", "type_not_allowed"),
        ("cli", "delivery.replayed.v1", "acme", None),
        ("cli", "delivery.replayed.v1", None, None),
        ("soar", "delivery.replayed.v1", "acme", "type_not_allowed"),
    ],
)
def test_a_publisher_may_say_what_its_rights_name(publisher, type_, tenant, refusal):
    assert AUTHORITY.refusal(publisher, type_, tenant) == refusal


@pytest.mark.parametrize("service", ["ingest", "classifier", "retractor", "audit"])
def test_every_service_may_announce_dead_letters_and_configuration(service):
    for type_ in ("delivery.dead_lettered.v1", "config.changed.v1"):
        assert Authority([]).refusal(service, type_, "acme") is None


def test_every_event_of_ours_may_be_said_by_some_service():
    services = ("ingest", "classifier", "retractor", "audit", "cli")
    commands_of_people = {"retraction.restore.v1", "retraction.cancel.v1"}

    for type_ in CONTRACTS.keys() - commands_of_people:
        assert any(Authority([]).refusal(service, type_, "acme") is None for service in services)


def test_no_entry_of_the_file_keeps_an_operators_deed_off_the_record():
    narrow = PublisherRights(name="cli", types=("mail.retract.v1",), tenants=("acme",))
    authority = Authority([narrow])

    assert authority.refusal("cli", "delivery.replayed.v1", "globex") is None
    assert authority.refusal("cli", "mail.retract.v1", "globex") == "tenant_not_allowed"


def test_the_types_of_each_publisher_are_all_that_it_may_say():
    types = AUTHORITY.types()

    assert types["soar"] == ("mail.retract.v1", "indicator.*")
    assert types["cli"] == ("delivery.replayed.v1",)
    assert set(types) == {"ingest", "classifier", "retractor", "audit", "cli", "soar", "console"}
    for publisher, type_ in ((name, each) for name in types for each in types[name]):
        if not type_.endswith("*"):
            assert AUTHORITY.refusal(publisher, type_, "acme") is None


def test_the_file_narrows_what_a_service_may_do_but_not_what_it_says():
    narrowed = PublisherRights(
        name="classifier", types=("*",), destinations=("junk",), mailboxes_per_request=5
    )

    authority = Authority([narrowed])

    rights = authority.rights_of("classifier")
    assert rights is not None
    assert (rights.destinations, rights.mailboxes_per_request) == (("junk",), 5)
    assert authority.refusal("classifier", "copy.settled.v1", "acme") == "type_not_allowed"
    assert authority.refusal("classifier", "mail.retract.v1", "acme") is None


def test_rights_are_found_by_name_and_nobody_else_has_any():
    assert AUTHORITY.rights_of("soar") == SOAR
    assert AUTHORITY.rights_of("nobody") is None
