"""Adapters and their twins pass the same suites."""

import asyncio

import pytest
import pytest_asyncio

from libs.common.database.migrations import migrate
from libs.common.database.pool import open_pool
from libs.common.errors import ConfigurationError, TransientError
from services.classifier.adapters.dns import DnsResolver
from services.classifier.adapters.postgres import SQL_PACKAGE, PostgresSeenMessages
from services.demo.resolver import serve_dns
from tests.contracts.resolver import TEXTS, ResolverContract
from tests.contracts.seen_messages import BAD, REPORT, SeenMessagesContract, soft_delete
from tests.fakes.resolver import FakeResolver
from tests.fakes.seen_messages import FakeSeenMessages


class TestFakeSeenMessages(SeenMessagesContract):
    @pytest.fixture
    def seen(self):
        return FakeSeenMessages()


class TestPostgresSeenMessages(SeenMessagesContract):
    @pytest_asyncio.fixture
    async def pool(self, database):
        pool = await open_pool(database.dsn_for("classifier"), schema="classifier")
        await migrate(pool, SQL_PACKAGE)
        yield pool
        await pool.close()

    @pytest.fixture
    def seen(self, pool):
        return PostgresSeenMessages(pool)

    async def test_a_database_that_is_gone_is_a_transient_failure(self, seen, pool):
        await pool.close()

        with pytest.raises(TransientError, match="database_unreachable"):
            await seen.enter(REPORT, BAD, soft_delete)


class TestFakeResolver(ResolverContract):
    @pytest.fixture
    def resolver(self):
        return FakeResolver({name: (text,) for name, text in TEXTS.items()})

    @pytest.fixture
    def silent_resolver(self, resolver):
        resolver.silent = True
        return resolver


class TestDnsResolver(ResolverContract):
    @pytest_asyncio.fixture
    async def port(self):
        async with serve_dns(TEXTS) as port:
            yield port

    @pytest.fixture
    def resolver(self, port, clock):
        return DnsResolver(clock, nameservers=[f"127.0.0.1:{port}"])

    @pytest_asyncio.fixture
    async def silent_resolver(self, clock):
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
        )
        port = transport.get_extra_info("sockname")[1]
        yield DnsResolver(clock, nameservers=[f"127.0.0.1:{port}"], timeout_seconds=0.2)
        transport.close()

    async def test_an_answer_is_remembered_until_it_expires(self, port, clock, resolver):
        name = next(iter(TEXTS))
        first = await resolver.txt(name)
        resolver._resolver.nameservers = ["127.0.0.9"]
        resolver._resolver.lifetime = 0.1

        assert await resolver.txt(name) == first
        await clock.advance(301)
        assert await resolver.txt(name) is None

    @pytest.mark.parametrize("name", ["", "a..b", "x" * 300, "\0.example", "ü.example", "a b.c"])
    async def test_a_name_that_is_none_has_no_answer(self, resolver, name):
        assert not await resolver.txt(name)

    def test_a_nameserver_that_is_none_is_the_operators_mistake(self, clock):
        with pytest.raises(ConfigurationError, match="CLASSIFIER_NAMESERVERS"):
            DnsResolver(clock, nameservers=["127.0.0.1:dns"])
        with pytest.raises(ConfigurationError, match="CLASSIFIER_NAMESERVERS"):
            DnsResolver(clock, nameservers=["dns.example"])
