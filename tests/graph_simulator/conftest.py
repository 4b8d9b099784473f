"""A simulator with one tenant, and a client that holds a token."""

import ssl
from collections.abc import AsyncIterator

import httpx
import pytest

from libs.graph_simulator.certificates import Identity, new_identity
from libs.graph_simulator.options import Options
from libs.graph_simulator.server import Simulator, serve
from tests.graph_simulator.client import Graph, sign_in
from tests.graph_simulator.samples import seed


@pytest.fixture
def options() -> Options:
    """What a test overrides with `parametrize("options", …)`."""
    return Options()


@pytest.fixture(scope="session")
def identity() -> Identity:
    """Keys are slow to make: one set for all tests."""
    return new_identity()


@pytest.fixture
async def simulator(options: Options, identity: Identity) -> AsyncIterator[Simulator]:
    async with serve(seed(options), identity=identity) as running:
        yield running


@pytest.fixture
async def http(simulator: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    context = ssl.create_default_context(cafile=simulator.ca_file)
    async with httpx.AsyncClient(verify=context) as client:
        yield client


@pytest.fixture
async def graph(simulator: Simulator, http: httpx.AsyncClient) -> Graph:
    return Graph(http, simulator.graph_url, await sign_in(http, simulator.authority_url))
