"""`undeliver ingest`: run the service; parse reports by hand."""

import argparse
import hashlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from libs.common.journaling.keys import message_key, report_key
from libs.common.journaling.mail import ParsedMail
from libs.common.journaling.parsing import as_carried, parse
from libs.common.terminal import Output, add_config_argument, add_json_argument

_COLUMNS = ("file", "kind", "format", "sender", "recipients", "subject", "flags", "error")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the subcommands."""
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    running = commands.add_parser("run", help="take mail in until stopped (settings: INGEST_*)")
    add_config_argument(running)
    parsing = commands.add_parser("parse", help="say what a received message is; no network")
    parsing.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="a message as received"
    )
    parsing.add_argument(
        "--tenant", default="", help="enters message_key and report_key (default: none)"
    )
    add_json_argument(parsing)


def main(arguments: argparse.Namespace) -> int:
    """Run a subcommand and return the exit code."""
    return _parse(arguments) if arguments.command == "parse" else _run(arguments.config)


def _run(config: Path | None) -> int:
    # Here, not above: parsing by hand needs no server, no database and none of their packages.
    from services.ingest.__main__ import main as run_service

    return run_service(config)


def _parse(arguments: argparse.Namespace) -> int:
    output = Output(as_json=arguments.json)
    failed = False

    def records() -> Iterator[Mapping[str, object]]:
        nonlocal failed
        for file in arguments.files:
            record = _record(file, arguments.tenant)
            failed |= "error" in record
            yield record

    if arguments.json:
        output.records(records(), _COLUMNS)
    else:
        output.records([_row(record) for record in records()], _COLUMNS)
    return 1 if failed else 0


def _record(file: Path, tenant: str) -> Mapping[str, object]:
    """Return what `parse` prints of one file; `error` where it cannot be read."""
    try:
        raw = as_carried(sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes())
    except OSError as error:
        return {"file": str(file), "error": error.strerror or type(error).__name__}
    return {"file": str(file), **described(parse(raw), raw, tenant)}


def described(mail: ParsedMail, raw: bytes, tenant: str) -> Mapping[str, object]:
    """Return a parsed message under the names that programs rely on."""
    sha256 = hashlib.sha256(raw).hexdigest()
    return {
        "kind": mail.kind,
        "format": mail.format,
        "sender": mail.envelope.sender,
        "on_behalf_of": mail.envelope.on_behalf_of,
        "subject": mail.subject,
        "message_id": mail.message_id,
        "recipients": [recipient._asdict() for recipient in mail.envelope.recipients],
        "original": {
            "sha256": mail.original.sha256,
            "size_bytes": mail.original.size_bytes,
            "offset": mail.original.offset,
        },
        "message_key": message_key(tenant, mail.message_id, mail.content_sha256),
        "report_key": report_key(tenant, mail.report_message_id, sha256),
        "flags": list(mail.flags),
        "extras": dict(mail.extras),
        "headers": {
            "from": mail.headers.from_,
            "to": mail.headers.to,
            "subject": mail.headers.subject,
            "date": mail.headers.date,
        },
        "thread_index": mail.thread.thread_index,
        "in_reply_to": mail.thread.in_reply_to,
        "references": list(mail.thread.references),
    }


def _row(record: Mapping[str, object]) -> Mapping[str, object]:
    """Return a record for people: recipients as addresses."""
    recipients = record.get("recipients")
    addresses = [each["address"] for each in recipients] if isinstance(recipients, list) else None
    return {**record, "recipients": addresses}
