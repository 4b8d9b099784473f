"""The connections to Graph while tenants' access changes under them."""

import asyncio
from pathlib import Path

import pytest

from libs.common.clock import SystemClock
from libs.common.errors import PermanentError, TransientError
from libs.graph_simulator.options import Latency
from libs.graph_simulator.seed import ApplicationSeed
from services.retractor.adapters.graph.connections import Endpoints
from services.retractor.adapters.graph.mailboxes import GraphMailboxes
from services.retractor.app import ConfiguredRules
from tests.retractor.rig import TENANT, configuration, in_force
from tests.retractor.test_graph_adapter import ANN, MICROSOFT_ID


class Tenants:
    """The configuration in force, and mailboxes that follow it."""

    def __init__(self, simulator) -> None:
        self.simulator = simulator
        self.current = in_force()
        endpoints = Endpoints(
            graph_url=simulator.graph_url,
            authority_url=simulator.authority_url,
            ca_file=simulator.ca_file,
        )
        rules = ConfiguredRules(self.current)
        self.mailboxes = GraphMailboxes(rules.tenant, endpoints, SystemClock())

    async def is_reached(self) -> bool:
        return await self.mailboxes.resolve(TENANT, ANN) is not None

    def signs_in_as(self, **access: object) -> None:
        self.current.replace(configuration(graph={"client_id": "client"} | access))

    def tokens(self) -> int:
        return sum(self.simulator.admin.statistics()["token_requests"].values())


@pytest.fixture
async def tenants(simulator, monkeypatch):
    monkeypatch.setenv("RIG_SECRET", "s3cret")
    tenants = Tenants(simulator)
    yield tenants
    await tenants.mailboxes.close()


async def test_another_application_is_signed_in_as_from_the_next_call_on(tenants, monkeypatch):
    monkeypatch.setenv("OTHER_SECRET", "other")
    other = ApplicationSeed(client_id="other", client_secret="other")
    tenants.simulator.admin.add_application(MICROSOFT_ID, other)
    await tenants.is_reached()

    tenants.signs_in_as(client_id="other", client_secret="env:OTHER_SECRET")

    assert await tenants.is_reached()
    assert tenants.tokens() == 2


async def test_what_does_not_concern_its_access_leaves_a_connection_as_it_is(tenants):
    await tenants.is_reached()
    tenants.current.replace(configuration(protected_mailboxes=(ANN,)))
    await tenants.is_reached()

    assert tenants.tokens() == 1


async def test_a_tenant_that_is_removed_is_not_called_for_any_more(tenants):
    await tenants.is_reached()
    tenants.current.replace(configuration(id="globex"))
    await tenants.mailboxes.retire_outdated()

    with pytest.raises(PermanentError, match="unknown_tenant"):
        await tenants.is_reached()


async def test_a_call_that_is_under_way_ends_on_the_connection_that_it_began_on(tenants):
    await tenants.is_reached()
    tenants.simulator.admin.set_latency(Latency(median_ms=300))
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(tenants.is_reached()) for _ in range(3)]
        await asyncio.sleep(0)
        tenants.current.replace(configuration(id="globex"))
        group.create_task(tenants.mailboxes.retire_outdated())

    assert all(call.result() for call in calls)


async def test_a_secret_that_is_replaced_where_it_stands_is_read_anew(tenants, tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("out of date")
    secret.chmod(0o600)
    tenants.signs_in_as(client_secret=f"file:{secret}")
    with pytest.raises(TransientError, match="sign_in_failed"):
        await tenants.is_reached()

    secret.write_text("s3cret")

    assert await tenants.is_reached()
