"""The `undeliver` command: mounts each area's cli, and imports an area only when it is named."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata

from libs.common.errors import StartError


@dataclass(frozen=True, slots=True)
class Area:
    """A first word of the command line."""

    #: Has `add_arguments(parser)` and `main(arguments) -> exit code`.
    module: str
    summary: str
    #: The extras that bring what it imports.
    extras: str


AREAS = {
    "up": Area(
        "services.embedded.cli",
        "run everything on this machine, on defaults that need nothing else",
        "ingest,classifier,retractor,audit,embedded",
    ),
    "demo": Area(
        "services.demo.cli", "watch it work: simulated mailboxes, real SMTP, sample mail", "demo"
    ),
    "config": Area(
        "services.config.cli", "write an example configuration, check one, print its schema", ""
    ),
    "ingest": Area("services.ingest.cli", "take journal mail in; parse reports by hand", "ingest"),
    "classifier": Area("services.classifier.cli", "say what a message is, and why", "classifier"),
    "retractor": Area(
        "services.retractor.cli", "take mail back, put it back, see what became of it", "retractor"
    ),
    "audit": Area("services.audit.cli", "search and verify the record", "audit"),
    "broker": Area(
        "services.broker.cli",
        "queues, permissions and dead letters: what operators do to the broker",
        "",
    ),
    "database": Area(
        "services.database.cli", "make a Postgres of yours ready for the services", ""
    ),
    "graph-simulator": Area(
        "libs.graph_simulator.cli", "serve a simulated Microsoft Graph with mailboxes", "simulator"
    ),
}

_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 failed, 2 usage or configuration."""
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # An old locale loses a character at worst, never the command.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _dispatch(words)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last resort of a process
        from libs.common.runtime import end_quietly, exit_code, has_lost_its_reader

        return end_quietly() if has_lost_its_reader(error) else exit_code(error)
    return code


def _dispatch(words: list[str]) -> int:
    if not words or words[0] not in AREAS:
        parser = _overview()
        parser.parse_args(words)
        parser.print_usage(sys.stderr)
        return 2
    name = words[0]
    from libs.common import logs

    # People see warnings; a service that runs sets its own level.
    logs.configure("WARNING")
    try:
        cli = importlib.import_module(AREAS[name].module)
        parser = argparse.ArgumentParser(prog=f"undeliver {name}", description=AREAS[name].summary)
        cli.add_arguments(parser)
        return int(cli.main(parser.parse_args(words[1:])))
    except ModuleNotFoundError as error:
        raise _without_extra(name, error) from None


def _overview() -> argparse.ArgumentParser:
    width = max(map(len, AREAS))
    lines = [f"  {name:<{width}}  {area.summary}" for name, area in AREAS.items()]
    parser = argparse.ArgumentParser(
        prog="undeliver",
        description="Takes back e-mail that has already been delivered to Microsoft 365 mailboxes.",
        epilog="areas:\n" + "\n".join(lines) + "\n\n`undeliver AREA --help` says more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"undeliver {metadata.version('undeliver')}"
    )
    parser.add_argument("area", choices=AREAS, metavar="AREA", help="one of those below, then …")
    return parser


def _without_extra(name: str, error: ModuleNotFoundError) -> Exception:
    """Return what to say where a package is missing that an extra brings."""
    package = (error.name or "").partition(".")[0]
    if package in {"", "services", "libs"}:
        return error
    return StartError(
        f"`undeliver {name}` needs the Python package {package}, which is not installed: "
        f"pip install 'undeliver[{AREAS[name].extras}]'"
    )


if __name__ == "__main__":
    sys.exit(main())
