"""`undeliver audit`: run the service, search the record, verify and export it."""

import argparse

from libs.common.runtime import run_command
from services.audit.__main__ import main as serve
from services.audit.cli.arguments import add_arguments
from services.audit.cli.commands import COMMANDS

__all__ = ["add_arguments", "main"]


def main(arguments: argparse.Namespace) -> int:
    """Run the command that was named, and return its exit code."""
    if arguments.command == "run":
        return serve(arguments.config)
    return run_command(lambda: COMMANDS[arguments.command](arguments))
