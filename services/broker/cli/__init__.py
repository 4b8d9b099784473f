"""`undeliver broker`: declare the queues, write permissions, replay what was given up on."""

import argparse

from services.broker.cli import dead_letters, permissions, topology

__all__ = ["add_arguments", "main"]

_COMMANDS = {
    "topology": topology,
    "permissions": permissions,
    "dead-letters": dead_letters,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands."""
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in _COMMANDS.values():
        command.add_arguments(commands)


def main(arguments: argparse.Namespace) -> int:
    """Run the command that was named, and return its exit code."""
    return int(_COMMANDS[arguments.command].main(arguments))
