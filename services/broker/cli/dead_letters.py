"""The words of `undeliver broker dead-letters`."""

import argparse
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING

from libs.common.arguments import between, instant, login
from libs.common.authority import OPERATOR
from libs.common.broker.topology import UNDELIVER
from libs.common.errors import ConfigurationError
from libs.common.instance import cli_connection
from libs.common.runtime import run_command
from libs.common.terminal import Output
from services.broker.cli import letter_commands
from services.broker.cli.topology import add_place
from services.broker.letters import Wanted

if TYPE_CHECKING:
    from services.broker.cli.permissions import Commands

_LIST_LIMIT = 100
_MOST = 1_000_000
_MOST_CHARACTERS = 255

_DESCRIPTION = """\
What consumers gave up on: kept with its reason until somebody replays it. Each queue's oldest come
first. While a list or a replay runs on RabbitMQ, another one does not see what it has looked at.
"""
_SHOW = """\
Shows one letter whole, with its body. Bodies hold no mail, but its sender, recipients and subject:
they are personal data.
"""
_REPLAY = """\
Returns letters to the queue that they came from, as a first attempt in the name of their first
publisher. Mend first what made them fail: whatever fails again becomes a new dead letter, and this
run does not replay it again. Every replay is on record, with who asked for it, before it is done:
`undeliver audit search --type delivery.replayed.v1`.
"""


def add_arguments(commands: "Commands") -> None:
    """Add the subcommands."""
    parser = commands.add_parser(
        "dead-letters", help="list, show and replay what was given up on", description=_DESCRIPTION
    )
    deeds = parser.add_subparsers(dest="deed", required=True, metavar="COMMAND")
    listing = deeds.add_parser("list", help="list them, without their bodies")
    _add_filters(listing)
    listing.add_argument(
        "--limit",
        type=between(1, _MOST),
        default=_LIST_LIMIT,
        metavar="N",
        help="at most so many (default: %(default)s)",
    )
    showing = deeds.add_parser("show", help="show one whole, with its body", description=_SHOW)
    showing.add_argument("id", metavar="ID", help="as list prints it")
    _add_replay(deeds)
    for each in deeds.choices.values():
        add_place(each)


def main(arguments: argparse.Namespace) -> int:
    """Run one subcommand."""
    return run_command(work(arguments))


def work(arguments: argparse.Namespace) -> Callable[[], Coroutine[None, None, int]]:
    """Return what a subcommand does, once it is known what is meant.

    Raises:
        ConfigurationError, StartError: the words contradict each other, or name no broker.
    """
    output = Output(as_json=arguments.json)
    wanted = _wanted(arguments)
    address = cli_connection(arguments.data).broker
    if address.publisher not in {None, OPERATOR}:
        raise ConfigurationError(
            f"CLI_AMQP_URL: signs in as {address.publisher}, to whom dead letters are not shown; "
            f"give the address of {OPERATOR}"
        )
    match arguments.deed:
        case "list":
            return partial(letter_commands.list_letters, output, wanted, address)
        case "show":
            return partial(letter_commands.show_letter, output, wanted, address)
    return partial(
        letter_commands.replay_letters,
        output,
        wanted,
        address,
        requested_by=arguments.requested_by or login(),
        dry_run=arguments.dry_run,
    )


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--queue",
        choices=[queue.name for queue in UNDELIVER.queues],
        metavar="QUEUE",
        help="of this queue, such as %(choices)s",
    )
    parser.add_argument("--type", help="of this message type, such as mail.retract.v1")
    parser.add_argument("--reason", help="given up on for this reason, such as contract_violated")
    parser.add_argument("--tenant", help="that claim this tenant; - is none")
    parser.add_argument("--publisher", help="of this proved publisher")
    parser.add_argument(
        "--since", type=instant, metavar="TIME", help="given up on since then (ISO 8601)"
    )


def _add_replay(deeds: "Commands") -> None:
    parser = deeds.add_parser("replay", help="return some to their queues", description=_REPLAY)
    parser.add_argument("ids", nargs="*", metavar="ID", help="as list prints them")
    _add_filters(parser)
    parser.add_argument("--all", action="store_true", help="all that there are")
    parser.add_argument(
        "--limit", type=between(1, _MOST), metavar="N", help="at most so many (default: no limit)"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would happen, do nothing")
    parser.add_argument(
        "--requested-by", type=_person, metavar="PERSON", help="who (default: your login)"
    )


def _wanted(arguments: argparse.Namespace) -> Wanted:
    if arguments.deed == "show":
        return Wanted(ids=frozenset([arguments.id]), limit=1)
    wanted = Wanted(
        queue=arguments.queue,
        type=arguments.type,
        reason=arguments.reason,
        tenant=arguments.tenant,
        publisher=arguments.publisher,
        since=arguments.since,
        limit=arguments.limit,
    )
    if arguments.deed == "list":
        return wanted
    has_filter = wanted != Wanted(limit=wanted.limit)
    if [bool(arguments.ids), has_filter, arguments.all].count(True) != 1:
        raise ConfigurationError(
            "name what to replay in one way: by ID, by filters (--queue, --type, --reason, "
            "--tenant, --publisher, --since), or --all"
        )
    return Wanted(ids=frozenset(arguments.ids)) if arguments.ids else wanted


def _person(text: str) -> str:
    if not (0 < len(text) <= _MOST_CHARACTERS and text.isprintable()):
        raise argparse.ArgumentTypeError(f"takes 1 to {_MOST_CHARACTERS} printable characters")
    return text
