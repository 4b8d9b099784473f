"""The broker in Postgres keeps the broker's contract."""

from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import pytest

from libs.common.broker.postgres import PostgresBroker, declare
from libs.common.clock import SystemClock
from tests.contracts.broker import BrokerContract
from tests.contracts.broker_rig import PATIENCE_SECONDS, TOPOLOGY


class PostgresRig:
    """See `BrokerRig`."""

    def __init__(self, database, stack: AsyncExitStack):
        self._database = database
        self._stack = stack

    async def connect(
        self, publisher, *, topology=TOPOLOGY, publish_timeout_seconds=PATIENCE_SECONDS
    ):
        return await self._stack.enter_async_context(
            PostgresBroker.open(
                self._database.dsn_for(publisher),
                topology=topology,
                clock=SystemClock(),
                publish_timeout_seconds=publish_timeout_seconds,
            )
        )

    async def dead_letters(self):
        return (await self.connect("cli")).dead_letters

    async def declare(self, topology):
        await declare(self._database.superuser_dsn, topology)

    async def kill(self, broker):
        broker._session._pool.terminate()
        async with self._superuser() as superuser:  # instead of waiting for the lease
            await superuser.execute(
                "update broker.deliveries set available_at = now() where claim is not null"
            )

    async def cut(self):
        async with self._superuser() as superuser:
            await superuser.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )

    @asynccontextmanager
    async def stalled(self):
        async with self._superuser() as superuser, superuser.transaction():
            await superuser.execute("lock table broker.deliveries in access exclusive mode")
            yield

    @asynccontextmanager
    async def _superuser(self):
        connection = await asyncpg.connect(self._database.superuser_dsn)
        try:
            yield connection
        finally:
            await connection.close()


@pytest.fixture
async def rig(database):
    async with AsyncExitStack() as stack:
        rig = PostgresRig(database, stack)
        await rig.declare(TOPOLOGY)
        yield rig


class TestPostgresBroker(BrokerContract):
    @pytest.fixture
    def rig(self, rig):
        return rig
