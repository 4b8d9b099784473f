"""A token that was ever a tenant's is never called unknown."""

import asyncpg
import pytest
import pytest_asyncio

from libs.common.database.migrations import migrate
from libs.common.database.pool import open_pool
from libs.common.errors import TransientError
from libs.common.tenants.current import CurrentConfiguration
from services.ingest.adapters.postgres import SQL, PostgresKnownTokens
from services.ingest.domain.routes import Destination, Refusal, Routes, token_hash
from services.ingest.handlers import resolve_recipient
from tests.contracts.known_tokens import AT, KnownTokensContract
from tests.fakes.known_tokens import FakeKnownTokens
from tests.ingest.listening import ACME, CONFIGURATION, OTHER_REGION, current_routes

CURRENT = CurrentConfiguration(CONFIGURATION)
FORMER_TOKEN = "f" * 26
FORMER = f"{FORMER_TOKEN}@journaling.undeliver.example"


class TestFakeKnownTokens(KnownTokensContract):
    @pytest.fixture
    def known_tokens(self):
        return FakeKnownTokens()


@pytest_asyncio.fixture
async def pool(database):
    pool = await open_pool(database.dsn_for("ingest"), schema="ingest")
    await migrate(pool, SQL)
    yield pool
    await pool.close()


class TestPostgresKnownTokens(KnownTokensContract):
    @pytest.fixture
    def known_tokens(self, pool):
        return PostgresKnownTokens(pool)


@pytest.fixture
def tokens():
    fake = FakeKnownTokens()
    fake.tokens.add(token_hash(FORMER_TOKEN))
    return fake


@pytest.mark.parametrize(
    ("address", "outcome"),
    [
        (ACME, Destination("acme")),
        (FORMER, Refusal.FORMER_TOKEN),
        (f" {FORMER.upper()}.", Refusal.FORMER_TOKEN),
        ("g" * 26 + "@journaling.undeliver.example", Refusal.UNKNOWN_TOKEN),
        (f"{FORMER_TOKEN}@evil.example", Refusal.FOREIGN_DOMAIN),
        (OTHER_REGION, Refusal.OTHER_REGION),
    ],
)
async def test_only_what_never_was_a_token_of_ours_is_unknown(tokens, address, outcome):
    assert await resolve_recipient(address, routes=current_routes(CURRENT, tokens)) == outcome


@pytest.mark.parametrize("address", [ACME, OTHER_REGION, "bob@journaling.undeliver.example"])
async def test_nobody_is_asked_of_what_needs_no_asking(tokens, address):
    await resolve_recipient(address, routes=current_routes(CURRENT, tokens))

    assert tokens.asked == []


async def test_as_long_as_nobody_can_say_a_token_is_not_called_unknown(tokens):
    routes = current_routes(CURRENT, tokens)
    await routes.now()
    tokens.broken = TransientError("database_unreachable")

    with pytest.raises(TransientError):
        await resolve_recipient(FORMER, routes=routes)


async def test_no_token_is_kept_as_it_is(database, pool):
    known_tokens = PostgresKnownTokens(pool)
    await known_tokens.remember(Routes(CONFIGURATION, "default").configured, AT)
    superuser = await asyncpg.connect(database.superuser_dsn)
    rows = await superuser.fetch("select token_sha256 from ingest.known_tokens")
    await superuser.close()

    assert len(rows) == len(CONFIGURATION.tenants)
    assert ACME.partition("@")[0] not in str(rows)
