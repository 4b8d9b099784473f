"""`undeliver graph-simulator`."""

import argparse
import asyncio
import json
import os
from pathlib import Path

from libs.common import runtime
from libs.common.errors import ConfigurationError
from libs.common.terminal import Output, add_json_argument
from libs.graph_simulator.options import Latency
from libs.graph_simulator.seed import Seed, load_seed
from libs.graph_simulator.server import Listen, Simulator, serve, write_atomically


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.description = (
        "Serve Microsoft Graph mail and sign-in, simulated (docs/graph-simulator.md)."
    )
    parser.add_argument("--port", type=_port, required=True, help="of the Graph host; 0 = any")
    parser.add_argument(
        "--authority-port", type=_port, required=True, help="of the sign-in host; 0 = any"
    )
    parser.add_argument(
        "--ca-file", type=Path, required=True, help="where to write the certificate to trust"
    )
    parser.add_argument("--tenant-file", type=Path, help="YAML: tenants, applications, mailboxes")
    parser.add_argument(
        "--ready-file", type=Path, help="written when serving: JSON with graph_url, authority_url"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--public-host", default="localhost", help="name in URLs and certificate (%(default)s)"
    )
    parser.add_argument("--seed", type=int, help="of everything random")
    parser.add_argument("--latency-ms", type=float, help="median time of an operation")
    parser.add_argument(
        "--latency-spread", type=float, help="sigma of the log-normal time; 0.33 is about a third"
    )
    add_json_argument(parser)


def main(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; 0 then, 1 if it cannot start, 2 for wrong input."""
    return runtime.run(lambda: _run(arguments), grace_seconds=5.0)


async def _run(arguments: argparse.Namespace) -> None:
    seed = load_seed(arguments.tenant_file) if arguments.tenant_file else Seed()
    listen = Listen(arguments.host, arguments.port, arguments.authority_port, arguments.public_host)
    seed = _with_flags(seed, arguments)
    async with serve(seed, listen=listen, ca_file=arguments.ca_file) as simulator:
        _announce(arguments, simulator)
        await asyncio.Event().wait()


def _announce(arguments: argparse.Namespace, simulator: Simulator) -> None:
    ready = {
        "graph_url": simulator.graph_url,
        "authority_url": simulator.authority_url,
        "admin_url": f"{simulator.graph_url}/__sim/",
        "ca_file": str(simulator.ca_file.resolve()),
        "pid": os.getpid(),
    }
    if arguments.ready_file:
        write_atomically(arguments.ready_file, json.dumps(ready).encode("ascii"))
    Output(as_json=arguments.json).record(ready)


def _with_flags(seed: Seed, arguments: argparse.Namespace) -> Seed:
    options = seed.options
    if arguments.seed is not None:
        options = options.model_copy(update={"seed": arguments.seed})
    if arguments.latency_ms is not None or arguments.latency_spread is not None:
        changes = {"median_ms": arguments.latency_ms, "sigma": arguments.latency_spread}
        given = {name: value for name, value in changes.items() if value is not None}
        try:
            latency = Latency.model_validate(options.latency.model_dump() | given)
        except ValueError as error:
            raise ConfigurationError(
                "--latency-ms is 0 to 60000, --latency-spread 0 to 3"
            ) from error
        options = options.model_copy(update={"latency": latency})
    return seed.model_copy(update={"options": options})


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError("a port is 0 to 65535")
    return port
