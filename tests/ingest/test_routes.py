"""Whose mail it is, and which way it went."""

import pytest

from libs.common.contracts.mail import Direction
from libs.common.journaling.parsing import parse
from libs.common.tenants.model import Configuration
from services.ingest.domain.direction import direction_of
from services.ingest.domain.routes import Destination, Refusal, Routes
from tests.ingest.listening import ACME, ACME_TOKEN, CONFIGURATION, ELSEWHERE, OTHER_REGION
from tests.ingest.reports import envelope, original, report

ROUTES = Routes(CONFIGURATION, "default")
DOMAINS = frozenset({"contoso.example"})


@pytest.mark.parametrize(
    ("address", "outcome"),
    [
        (ACME, Destination("acme")),
        (ACME.upper(), Destination("acme")),
        (f"{ACME_TOKEN}@journal.eu.undeliver.example.", Destination("acme")),
        (f"{ACME_TOKEN}@journal.in-eu.undeliver.example", Destination("acme")),
        (OTHER_REGION, Refusal.OTHER_REGION),
        (f"{OTHER_REGION.upper()}.", Refusal.OTHER_REGION),
        ("validation@journal.in.undeliver.example", Refusal.OTHER_REGION),
        ("postmaster", Destination(None)),
        ("validation@journaling.undeliver.example", Destination(None)),
        (f"{ACME_TOKEN}x@journaling.undeliver.example", Refusal.UNKNOWN_TOKEN),
        ("@journaling.undeliver.example", Refusal.UNKNOWN_TOKEN),
        (f"{ACME_TOKEN}@undeliver.example", Refusal.FOREIGN_DOMAIN),
        (f"{ACME_TOKEN}@evil.example", Refusal.FOREIGN_DOMAIN),
        ("", Refusal.FOREIGN_DOMAIN),
        (ELSEWHERE, Refusal.OTHER_LISTENER),
    ],
)
def test_an_address_leads_to_a_tenant_or_nowhere(address, outcome):
    assert ROUTES.resolve(address) == outcome


@pytest.mark.parametrize(
    ("addresses", "takes"),
    [
        ([], True),
        ([{"domain": "journal.eu.undeliver.example", "home": "eu"}], True),
        ([{"domain": "journaling.undeliver.example", "home": "in"}], False),
        ([{"domain": "journaling.undeliver.example", "home": "in", "backups": ["eu"]}], True),
    ],
)
def test_the_default_domain_is_ours_unless_it_is_given_to_another_region(addresses, takes):
    configuration = Configuration.model_validate(
        CONFIGURATION.model_dump() | {"journal_addresses": addresses}
    )

    outcome = Routes(configuration, "default").resolve(ACME)

    assert outcome == (Destination("acme") if takes else Refusal.OTHER_REGION)


def test_another_listener_serves_other_tenants():
    routes = Routes(CONFIGURATION, "other")

    assert routes.resolve(ELSEWHERE) == Destination("initech")
    assert routes.resolve(ACME) is Refusal.OTHER_LISTENER


INCOMING = "X-MS-Exchange-Organization-MessageDirectionality: Incoming\r\n"
ORIGINATING = "X-MS-Exchange-Organization-MessageDirectionality: Originating\r\n"
INSIDE, OUTSIDE = "bob@contoso.example", "eve@fabrikam.example"


@pytest.mark.parametrize(
    ("stamped", "sender", "recipients", "direction"),
    [
        ("", OUTSIDE, [INSIDE], Direction.INBOUND),
        ("", INSIDE, [OUTSIDE], Direction.OUTBOUND),
        ("", INSIDE, [INSIDE, OUTSIDE], Direction.OUTBOUND),
        ("", INSIDE, [INSIDE], Direction.INTERNAL),
        ("", OUTSIDE, [OUTSIDE], Direction.UNKNOWN),
        ("", "<>", [INSIDE], Direction.INBOUND),
        (INCOMING, INSIDE, [INSIDE], Direction.INBOUND),
        (ORIGINATING, OUTSIDE, [INSIDE], Direction.INTERNAL),
        (ORIGINATING, INSIDE, [OUTSIDE], Direction.OUTBOUND),
    ],
)
def test_direction_follows_exchange_then_the_domains(stamped, sender, recipients, direction):
    text = envelope(*(f"Recipient: {each}" for each in recipients), sender=sender)

    mail = parse(report(original(headers=stamped), text=text))

    assert direction_of(mail, DOMAINS) is direction


def test_what_a_sender_stamps_on_a_plain_copy_counts_for_nothing():
    copy = f"X-Envelope-To: {INSIDE}\r\nFrom: {OUTSIDE}\r\n{ORIGINATING}\r\n".encode()

    assert direction_of(parse(copy), DOMAINS) is Direction.INBOUND
