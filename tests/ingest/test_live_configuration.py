"""The configuration changes while mail comes in: nothing is lost or goes to another tenant."""

import asyncio
import json
from functools import partial

import pytest

from libs.common.clock import SystemClock
from libs.common.errors import TransientError
from libs.common.tenants.current import CurrentConfiguration
from libs.common.tenants.model import Configuration, Journal
from services.ingest.domain.routes import Routes, token_hash
from services.ingest.handlers import CurrentRoutes
from services.ingest.workers.tokens import remember_tokens
from tests.fakes.known_tokens import FakeKnownTokens
from tests.ingest.cable import Cable
from tests.ingest.listening import (
    ACME,
    ACME_TOKEN,
    CONFIGURATION,
    GLOBEX,
    GLOBEX_TOKEN,
    Client,
    tenant,
)
from tests.ingest.reports import envelope, report

ACME_TENANT, GLOBEX_TENANT, INITECH_TENANT = CONFIGURATION.tenants
NEW_TOKEN = "n" * 26
NEW = f"{NEW_TOKEN}@journaling.undeliver.example"


def of(*tenants):
    return CONFIGURATION.model_copy(update={"tenants": tenants})


def with_token(whose, token):
    return whose.model_copy(update={"journal": Journal(token=token)})


WITHOUT_ACME = of(GLOBEX_TENANT, INITECH_TENANT)
ROTATED = of(with_token(ACME_TENANT, NEW_TOKEN), GLOBEX_TENANT)
SWAPPED = of(with_token(ACME_TENANT, GLOBEX_TOKEN), with_token(GLOBEX_TENANT, ACME_TOKEN))


@pytest.fixture
def current():
    return CurrentConfiguration(CONFIGURATION)


async def recipient(client, address):
    """Ask whether an address takes mail now."""
    await client.say("RSET")
    await client.say("MAIL FROM:<>")
    return (await client.say(f"RCPT TO:<{address}>"))[:9]


async def test_recipients_follow_the_configuration_within_a_connection(site, current):
    async with site.running(configuration=current) as door, Client.connect(door.smtp_port) as says:
        before = [await recipient(says, each) for each in (ACME, NEW)]
        current.replace(ROTATED)
        rotated = [await recipient(says, each) for each in (ACME, NEW)]
        current.replace(WITHOUT_ACME)
        removed = [await recipient(says, each) for each in (ACME, NEW)]
        current.replace(CONFIGURATION)
        returned = [await recipient(says, each) for each in (ACME, NEW)]

    assert before == ["250 2.1.5", "550 5.1.1"]
    assert rotated == ["451 4.3.0", "250 2.1.5"]
    assert removed == ["451 4.3.0", "451 4.3.0"]
    assert returned == ["250 2.1.5", "451 4.3.0"]


async def test_who_left_while_its_message_came_has_nothing_stored(site, current):
    async with site.running(configuration=current) as door:
        async with Client.connect(door.smtp_port) as client:
            await client.begin(ACME, GLOBEX)
            current.replace(WITHOUT_ACME)
            await client.send(report() + b".\r\n")
            assert (await client.reply()).startswith("451 4.3.0")

        assert await site.count() == 0
        assert await site.query("select count(*) from ingest.report_keys") == 0
        assert await site.blobs.days() == []


@pytest.mark.parametrize("later", [ROTATED, SWAPPED])
async def test_whose_token_changed_while_its_message_came_gets_it(site, current, later):
    async with site.running(configuration=current) as door:
        async with Client.connect(door.smtp_port) as client:
            await client.begin(ACME)
            current.replace(later)
            await client.send(report() + b".\r\n")
            assert (await client.reply()).startswith("250")

        (message,) = await site.announced(1)
    assert message.tenant == "acme"
    assert json.loads(message.body)["raw"]["store_key"].startswith("acme/")


async def test_what_a_message_is_follows_the_domains_in_force(site, current):
    async def direction(number):
        raw = report(text=envelope(sender="eve@elsewhere.example"), report_id=f"<{number}@journal>")
        async with Client.connect(door.smtp_port) as client:
            assert (await client.deliver(raw, ACME)).startswith("250")
        (message,) = await site.announced(1)
        return json.loads(message.body)["direction"]

    async with site.running(configuration=current) as door:
        before = await direction(1)
        grown = ACME_TENANT.model_copy(update={"domains": ("acme.example", "contoso.example")})
        current.replace(of(grown, GLOBEX_TENANT))
        after = await direction(2)

    assert (before, after) == ("unknown", "inbound")


async def test_a_listener_calls_itself_by_the_configuration_in_force(site, current):
    renamed = CONFIGURATION.model_copy(
        update={"service_domain": "a.example", "journal_addresses": ()}
    )
    async with site.running(configuration=current) as door:
        current.replace(renamed)
        async with Client.connect(door.smtp_port, greet=False) as client:
            assert await client.reply() == "220 journaling.a.example ESMTP"


async def test_a_change_while_the_database_is_away_refuses_nobody_for_good(site, current, database):
    async with (
        Cable.to(database.superuser_dsn) as cable,
        site.running(cable, configuration=current) as door,
        Client.connect(door.smtp_port) as client,
    ):
        cable.pull()
        current.replace(ROTATED)
        away = [await recipient(client, each) for each in (ACME, NEW, GLOBEX)]
        cable.plug_in()
        again = [await recipient(client, each) for each in (ACME, NEW, GLOBEX)]

    assert away == ["451 4.3.0"] * 3
    assert again == ["451 4.3.0", "250 2.1.5", "250 2.1.5"]


class Remembering:
    """The worker that remembers tokens, on fakes."""

    def __init__(self, current, clock):
        self.tokens = FakeKnownTokens()
        self.clock = clock
        self.routes = CurrentRoutes(
            current.derived(partial(Routes, listener="default")), self.tokens, clock
        )
        self.loop = remember_tokens(self.routes.now, current, clock)

    def knows(self, *tokens):
        return {token_hash(token) for token in tokens} <= self.tokens.tokens


@pytest.fixture
def remembering(current, clock):
    return Remembering(current, clock)


def one(token):
    return Configuration.model_validate(
        {"service_domain": "undeliver.example", "tenants": [tenant("acme", token)]}
    )


async def test_tokens_are_remembered_that_no_mail_has_come_for(remembering, current, clock):
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(remembering.loop)
        await clock.advance(0)
        for token in ("d" * 26, "e" * 26, "f" * 26):
            current.replace(one(token))
            await clock.advance(0)
        running.cancel()

    assert remembering.knows(ACME_TOKEN, GLOBEX_TOKEN, "d" * 26, "e" * 26, "f" * 26)


async def test_tokens_of_a_configuration_that_went_before_the_database_came_back_are_remembered(
    remembering, current, clock
):
    remembering.tokens.broken = TransientError("database_unreachable")
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(remembering.loop)
        await clock.advance(0)
        current.replace(one("d" * 26))
        await clock.advance(5)
        current.replace(one("e" * 26))
        await clock.advance(5)
        assert remembering.tokens.tokens == set()
        remembering.tokens.broken = None
        await clock.advance(5)
        running.cancel()

    assert remembering.knows(ACME_TOKEN, "d" * 26, "e" * 26)


async def test_no_recipient_is_named_before_its_token_is_remembered():
    current = CurrentConfiguration(one("d" * 26))
    remembering = Remembering(current, SystemClock())
    remembering.loop.close()
    remembering.tokens.broken = TransientError("database_unreachable")

    with pytest.raises(TransientError):
        await remembering.routes.now()
    remembering.tokens.broken = None
    await remembering.routes.now()

    assert remembering.knows("d" * 26)
