"""`undeliver retractor`: run the service; take mail back, put it back, see what became of it."""

import argparse
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

from libs.common.arguments import between, login
from libs.common.contracts import Contract
from libs.common.contracts.retraction import CancelRetraction, RestoreRetraction, RetractMail
from libs.common.terminal import Output, add_config_argument, add_json_argument

_DESTINATIONS = ("junk", "trash", "soft_delete", "hard_delete")
_KEY = re.compile(r"^[0-9a-f]{64}$")
_TENANT = re.compile(r"^[a-z0-9][a-z0-9-]{0,62}$")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the subcommands."""
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    running = commands.add_parser("run", help="retract on command until stopped: RETRACTOR_*")
    add_config_argument(running)
    _add_retract(commands)
    _add_restore(commands)
    _add_cancel(commands)
    _add_reading(commands)


def main(arguments: argparse.Namespace) -> int:
    """Run a subcommand and return the exit code."""
    if arguments.command == "run":
        from services.retractor.__main__ import main as serve  # noqa: PLC0415

        return serve(arguments.config)
    # Here, not above: `run` needs none of it, and `--help` should answer at once.
    from libs.common.runtime import run_command  # noqa: PLC0415
    from services.retractor.cli import asking, showing  # noqa: PLC0415

    output = Output(as_json=arguments.json)
    match arguments.command:
        case "list":
            wanted = showing.Wanted(arguments.tenant, arguments.status, arguments.limit)
            return run_command(partial(showing.show_list, output, arguments.data, wanted))
        case "show":
            return run_command(
                partial(
                    showing.show_one,
                    output,
                    arguments.data,
                    arguments.retraction_id,
                    arguments.tenant,
                )
            )
    command = _command(arguments)
    waiting = getattr(arguments, "wait", False)
    limit = arguments.timeout if waiting else None
    return run_command(partial(asking.ask, output, arguments.data, command, limit))


def _command(arguments: argparse.Namespace) -> Contract:
    common = {
        "tenant": arguments.tenant,
        "reason": arguments.reason,
        "requested_by": arguments.requested_by or login(),
    }
    match arguments.command:
        case "restore":
            return RestoreRetraction(
                restore_id=uuid4(),
                retraction_id=arguments.retraction_id,
                copy_ids=tuple(arguments.copy) or None,
                **common,
            )
        case "cancel":
            return CancelRetraction(retraction_id=arguments.retraction_id, **common)
    return RetractMail(
        retraction_id=uuid4(),
        internet_message_id=arguments.message_id,
        message_key=arguments.message_key,
        mailboxes=tuple(arguments.mailbox) or None,
        destination=arguments.destination,
        depth=arguments.depth,
        dry_run=arguments.dry_run,
        **common,
    )


_Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for it


def _add_retract(commands: "_Commands[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("retract", help="take a message back out of mailboxes")
    _add_common(parser)
    meant = parser.add_mutually_exclusive_group(required=True)
    meant.add_argument("--message-id", type=_message_id, help="the Message-ID, with brackets")
    meant.add_argument(
        "--message-key", type=_message_key, help="the message key of the journal report"
    )
    parser.add_argument(
        "--mailbox",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="only there; may be given again (default: all that received it, later ones included)",
    )
    parser.add_argument("--destination", required=True, choices=_DESTINATIONS)
    parser.add_argument(
        "--depth",
        type=between(0, 20),
        default=0,
        metavar="N",
        help="follow replies and forwards inside the tenant so deep (default 0); one more call of "
        "Graph per copy, and a search in every mailbox that joins",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would happen, do nothing")
    _add_wait(parser)


def _add_restore(commands: "_Commands[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("restore", help="put retracted copies back where they were")
    parser.add_argument("retraction_id", type=UUID, metavar="RETRACTION")
    _add_common(parser)
    parser.add_argument(
        "--copy",
        action="append",
        type=UUID,
        default=[],
        metavar="COPY",
        help="only this copy; may be given again (default: all, and the retraction ends)",
    )
    _add_wait(parser)


def _add_cancel(commands: "_Commands[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("cancel", help="stop a retraction: what is moved stays moved")
    parser.add_argument("retraction_id", type=UUID, metavar="RETRACTION")
    _add_common(parser)


def _add_reading(commands: "_Commands[argparse.ArgumentParser]") -> None:
    listing = commands.add_parser("list", help="retractions, newest first")
    listing.add_argument("--tenant", type=_tenant)
    listing.add_argument("--status", help="only those that are running, held, finished …")
    listing.add_argument("--limit", type=between(1, 10_000), default=50, metavar="N")
    showing = commands.add_parser("show", help="one retraction with every copy")
    showing.add_argument("retraction_id", type=UUID, metavar="RETRACTION")
    showing.add_argument("--tenant", type=_tenant, help="where two tenants use the same id")
    for parser in (listing, showing):
        _add_place(parser)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tenant", required=True, type=_tenant)
    parser.add_argument("--reason", required=True, type=_reason, help="why; goes into the record")
    parser.add_argument("--requested-by", metavar="PERSON", help="who (default: your login)")
    _add_place(parser)


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="data folder of the running `undeliver up`"
    )
    add_json_argument(parser)


def _add_wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wait", action="store_true", help="follow it to its end")
    parser.add_argument(
        "--timeout", type=_seconds, default=600.0, metavar="SECONDS", help="of --wait (600)"
    )


def _message_id(text: str) -> str:
    if not (text.startswith("<") and text.endswith(">") and len(text) <= 2000):
        raise argparse.ArgumentTypeError("is written with its brackets: '<…@…>'")
    return text


def _message_key(text: str) -> str:
    if not _KEY.match(text):
        raise argparse.ArgumentTypeError("is 64 hexadecimal digits, lower case")
    return text


def _tenant(text: str) -> str:
    if not _TENANT.match(text):
        raise argparse.ArgumentTypeError("is no tenant id: lower-case letters, digits and -")
    return text


def _reason(text: str) -> str:
    if not 0 < len(text) <= 1000:
        raise argparse.ArgumentTypeError("takes 1 to 1000 characters")
    return text


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86_400:
        raise argparse.ArgumentTypeError("takes seconds, up to 86400")
    return seconds


__all__: Sequence[str] = ("add_arguments", "main")
