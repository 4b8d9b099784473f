"""The words of `undeliver audit`."""

import argparse
from pathlib import Path

from libs.common.arguments import between, instant
from libs.common.contracts.mail import Disposition
from libs.common.terminal import add_config_argument, add_json_argument
from services.audit.domain.facts import SECTIONS
from services.audit.domain.record import Flag
from services.audit.domain.search import DEFAULT_LIMIT

_TIMELINE_LIMIT = 1000
_MAX_LIMIT = 100_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands."""
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run the service: record every message until stopped")
    add_config_argument(run)
    search = _reader(commands, "search", "find records, newest first")
    _add_filters(search)
    show = _reader(commands, "show", "show one record whole")
    show.add_argument("record", help="CHAIN/NUMBER, as search prints it, or a message id")
    show.add_argument("--personal", action="store_true", help="with what is personal in its body")
    timeline = _reader(commands, "timeline", "all about one message or retraction, oldest first")
    _add_marks(timeline.add_mutually_exclusive_group(required=True))
    _add_limit(timeline, _TIMELINE_LIMIT)
    _reader(commands, "verify", "check every hash of every chain; exit 1 if one does not hold")
    export = _reader(commands, "export", "print whole chains as JSON lines that anybody can verify")
    export.add_argument("--personal", action="store_true", help="with personal bytes and salts")
    tail = _reader(commands, "tail", "the latest records, oldest first")
    tail.add_argument("-f", "--follow", action="store_true", help="go on as records are added")
    _add_limit(tail, 10)


def _reader(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, summary: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=summary)
    parser.add_argument("--tenant", help="only this tenant's chain; - is the chain of no tenant")
    parser.add_argument(
        "--data", metavar="DIR", type=Path, help="the data folder of a running `undeliver up`"
    )
    add_json_argument(parser)
    return parser


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--type", help="message type, such as copy.settled.v1")
    parser.add_argument("--section", choices=SECTIONS, help="part of the record")
    parser.add_argument("--mailbox", help="a mailbox or address that the message names")
    parser.add_argument("--person", help="who asked for it, as the publisher claims")
    _add_marks(parser)
    parser.add_argument("--disposition", choices=[each.value for each in Disposition])
    parser.add_argument("--outcome", help="of a copy or a retraction, such as moved or refused")
    parser.add_argument("--publisher", help="who sent it, as proved")
    parser.add_argument("--flag", choices=[each.value for each in Flag], help="what is remarkable")
    parser.add_argument("--since", type=instant, help="recorded at or after this time (ISO 8601)")
    parser.add_argument("--until", type=instant, help="recorded before this time (ISO 8601)")
    _add_limit(parser, DEFAULT_LIMIT)


def _add_marks(parser: "argparse._ActionsContainer") -> None:
    parser.add_argument("--message-id", help="Message-ID of a mail, brackets included")
    parser.add_argument("--message-key", help="key of a message, as ingest computes it")
    parser.add_argument("--retraction", help="id of a retraction or restore")


def _add_limit(parser: argparse.ArgumentParser, default: int) -> None:
    parser.add_argument(
        "--limit",
        type=between(1, _MAX_LIMIT),
        default=default,
        help="at most so many (default: %(default)s)",
    )
