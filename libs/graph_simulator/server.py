"""Starts the simulator: two HTTPS servers over one world."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from ssl import SSLContext

from aiohttp import web

from libs.common.clock import Clock, SystemClock
from libs.common.errors import StartError
from libs.graph_simulator.admin.admin import Admin
from libs.graph_simulator.authority.tokens import Tokens
from libs.graph_simulator.certificates import Identity, new_identity
from libs.graph_simulator.graph.service import GraphService
from libs.graph_simulator.hosts import admin as admin_paths
from libs.graph_simulator.hosts.authority import AuthorityHost
from libs.graph_simulator.hosts.graph import GraphHost
from libs.graph_simulator.journal_sender import JournalSender
from libs.graph_simulator.seed import Seed, plant
from libs.graph_simulator.world.delivery import PostOffice
from libs.graph_simulator.world.directory import World

_SHUTDOWN_SECONDS = 2.0
_LARGEST_ADMIN_BYTES = 200 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Simulator:
    """A running simulator."""

    #: `https://localhost:PORT`; paths begin with `/v1.0`, `/beta` or `/__sim`.
    graph_url: str
    authority_url: str
    #: The certificate that clients must trust, as PEM file.
    ca_file: Path
    admin: Admin


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen. Port 0 is any free one."""

    host: str = "127.0.0.1"
    graph_port: int = 0
    authority_port: int = 0
    #: What clients call this machine; goes into the URLs and the certificate.
    public_host: str = "localhost"


@asynccontextmanager
async def serve(
    seed: Seed | None = None,
    *,
    listen: Listen | None = None,
    ca_file: Path | None = None,
    clock: Clock | None = None,
    identity: Identity | None = None,
) -> AsyncIterator[Simulator]:
    """Serve until the block is left. Without `ca_file` the certificate is a temporary file.

    Raises:
        ConfigurationError: the seed contradicts itself.
        StartError: a port is taken, or the certificate cannot be written.
    """
    seed, listen = seed or Seed(), listen or Listen()
    world = World(clock or SystemClock(), seed.options)
    plant(world, seed)
    identity = identity or new_identity([listen.public_host, listen.host])
    service, tokens = GraphService(world), Tokens(world, identity.signing_key)
    graph, authority = GraphHost(service, tokens), AuthorityHost(service, tokens)
    post_office = PostOffice(world)
    senders = [
        JournalSender(world, post_office, world.tenants[tenant.id], tenant.journal)
        for tenant in seed.tenants
        if tenant.journal
    ]
    admin = Admin(service, post_office, senders)
    context = identity.server_context()
    async with AsyncExitStack() as stack:
        if ca_file is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="graph-simulator-"))
            ca_file = Path(folder, "ca.pem")
        write_atomically(ca_file, identity.ca_pem)
        graph_port = await _listen(stack, _graph(graph, admin), listen, listen.graph_port, context)
        authority_port = await _listen(
            stack, authority.application(), listen, listen.authority_port, context
        )
        graph.url = f"https://{listen.public_host}:{graph_port}"
        authority.url = f"https://{listen.public_host}:{authority_port}"
        tokens.audiences.add(graph.url)
        tokens.authority_url = authority.url
        await _run(stack, senders)
        yield Simulator(graph.url, authority.url, ca_file, admin)


async def _run(stack: AsyncExitStack, senders: Sequence[JournalSender]) -> None:
    """Run the senders until the stack is left; an error of the block stays what it is."""
    group = asyncio.TaskGroup()
    await group.__aenter__()
    tasks = [group.create_task(sender.run()) for sender in senders]

    async def stop() -> None:
        for task in tasks:
            task.cancel()
        await group.__aexit__(None, None, None)

    stack.push_async_callback(stop)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that others wait for: it is there whole or not at all.

    Raises:
        StartError: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        raise StartError(f"{path} cannot be written: {error.strerror}") from error


def _graph(host: GraphHost, admin: Admin) -> web.Application:
    application = web.Application(client_max_size=_LARGEST_ADMIN_BYTES)
    application.add_routes(admin_paths.routes(admin))
    application.router.add_route("*", "/{version}/{tail:.*}", host.serve)
    return application


async def _listen(
    stack: AsyncExitStack,
    application: web.Application,
    listen: Listen,
    port: int,
    context: SSLContext,
) -> int:
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, listen.host, port, ssl_context=context).start()
    except OSError as error:
        raise StartError(f"port {port} of {listen.host} cannot be used: {error}") from error
    address: Sequence[object] = runner.addresses[0]
    return int(str(address[1]))
