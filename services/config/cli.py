"""`undeliver config`: write an example, check a file, print the schema."""

import argparse
import base64
import json
import re
import secrets
import sys
from dataclasses import asdict
from pathlib import Path

from libs.common.settings import configuration_path
from libs.common.tenants.loading import example, load_configuration, parse_configuration
from libs.common.tenants.model import Configuration
from libs.common.tenants.problems import InvalidConfiguration
from libs.common.tenants.secrets import missing_secrets
from libs.common.tenants.yaml_tree import MAX_FILE_BYTES
from libs.common.terminal import Output, add_config_argument, add_json_argument

_TOKEN_LINE = re.compile(r"(?m)^( *token: )[a-z2-7]+$")
_TOKEN_BYTES = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands."""
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("example", help="print a commented file that is valid as it is")
    commands.add_parser("schema", help="print the JSON Schema, for editors and other programs")
    check = commands.add_parser(
        "check", help="say what is wrong with a file; exit code 2 if anything"
    )
    check.add_argument(
        "file", nargs="?", metavar="FILE", type=Path, help="default: --config; - is stdin"
    )
    check.add_argument(
        "--secrets",
        action="store_true",
        help="also resolve the references to secrets, here and now",
    )
    add_config_argument(check)
    add_json_argument(check)


def main(arguments: argparse.Namespace) -> int:
    """Run one subcommand."""
    if arguments.command == "example":
        sys.stdout.write(_TOKEN_LINE.sub(_with_new_token, example()))
        return 0
    if arguments.command == "schema":
        sys.stdout.write(json.dumps(Configuration.json_schema(), indent=2) + "\n")
        return 0
    return _check(arguments, Output(as_json=arguments.json))


def _check(arguments: argparse.Namespace, output: Output) -> int:
    path = arguments.file or configuration_path(arguments.config)
    name = str(path)
    try:
        configuration = _load(path)
    except InvalidConfiguration as error:
        if not output.as_json:
            raise
        problems = [asdict(problem) for problem in error.problems]
        output.record({"file": name, "valid": False, "problems": problems})
        return 2
    missing = [each.detail for each in missing_secrets(configuration)] if arguments.secrets else []
    counts = _counts(configuration)
    version = configuration.version
    if output.as_json:
        valid = {"file": name, "valid": True, "problems": []}
        output.record({**valid, **counts, "version": version, "missing_secrets": missing})
    else:
        words = ", ".join(f"{count} {what}" for what, count in counts.items())
        output.text(f"{name}: valid: {words}, version {version}")
        for problem in missing:
            output.note(f"{name}: {problem}")
    return 2 if missing else 0


def _load(path: Path | None) -> Configuration:
    if path != Path("-"):
        return load_configuration(path)
    return parse_configuration(sys.stdin.buffer.read(MAX_FILE_BYTES + 1), "-", Path.cwd())


def _counts(configuration: Configuration) -> dict[str, int]:
    return {
        "tenants": len(configuration.tenants),
        "domains": sum(len(tenant.domains) for tenant in configuration.tenants),
        "publishers": len(configuration.publishers),
    }


def _with_new_token(line: re.Match[str]) -> str:
    """Everybody can read the example: nobody may run on its tokens."""
    return line[1] + base64.b32encode(secrets.token_bytes(_TOKEN_BYTES)).decode().lower()
