"""`undeliver broker topology`: declare everything, or say what is missing."""

import argparse
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from libs.common.broker.opening import BrokerAddress, examine_topology
from libs.common.broker.topology import Part
from libs.common.instance import cli_connection
from libs.common.runtime import run_command
from libs.common.terminal import Output, add_json_argument
from services.broker.topology import declare, is_complete

if TYPE_CHECKING:
    from services.broker.cli.permissions import Commands

_DESCRIPTION = """\
Declares the exchanges, queues and bindings that the services need, on the RabbitMQ of CLI_AMQP_URL
(user cli), and prints each with its state. Running it again changes nothing; nothing is ever
deleted or unbound. Services are ready only once this has been run; run it at every upgrade, before
they start.

A queue in Postgres is declared by `undeliver database provision` or `undeliver up`, which may do
it; here it is only checked.
"""
_EPILOG = """\
states: declared (now), present, missing, different (exists with other arguments, which cannot be
changed), unknown (AMQP has no question for it; declaring makes sure).
exit codes: 0 complete, 1 something is missing or different, 2 usage or configuration.
"""
_COLUMNS = ("kind", "name", "state", "detail")


def add_arguments(commands: "Commands") -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "topology",
        help="declare exchanges, queues and bindings, or check them",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--check", action="store_true", help="change nothing, only say what is there"
    )
    add_place(parser)


def add_place(parser: argparse.ArgumentParser) -> None:
    """Add where to look for the broker, and `--json`."""
    parser.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        help="the data folder of a running `undeliver up` (default: what CLI_AMQP_URL or "
        "CLI_POSTGRES_DSN name)",
    )
    add_json_argument(parser)


def main(arguments: argparse.Namespace) -> int:
    """Run the subcommand."""
    return run_command(work(arguments))


def work(arguments: argparse.Namespace) -> Callable[[], Coroutine[None, None, int]]:
    """Return what declares or checks, and prints every part.

    Raises:
        ConfigurationError, StartError: no broker is named.
    """
    address = cli_connection(arguments.data).broker
    return partial(_run, Output(as_json=arguments.json), address, only_check=arguments.check)


async def _run(output: Output, address: BrokerAddress, *, only_check: bool) -> int:
    if only_check or address.amqp_url is None:
        parts: Sequence[Part] = await examine_topology(address)
        problem = None if only_check or is_complete(parts) else _NOT_OURS
    else:
        parts, problem = await declare(address)
    output.records([_record(part) for part in parts], _COLUMNS)
    if problem is not None:
        output.note(problem)
    return 0 if problem is None and is_complete(parts) else 1


_NOT_OURS = (
    "the queue in Postgres is declared by `undeliver database provision --queue`, or by "
    "`undeliver up` when it starts; set CLI_AMQP_URL to declare on RabbitMQ"
)


def _record(part: Part) -> dict[str, object]:
    return {
        "kind": part.kind,
        "name": part.name,
        "state": part.state,
        "arguments": dict(part.arguments),
        "detail": part.detail,
    }
