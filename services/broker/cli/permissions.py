"""`undeliver broker permissions`: RabbitMQ's users and rights, from the configuration."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from libs.common.authority import Authority
from libs.common.broker.rabbitmq.permissions import definitions, users
from libs.common.broker.topology import UNDELIVER
from libs.common.passwords import read_passwords
from libs.common.settings import configuration_path
from libs.common.tenants.loading import load_configuration
from libs.common.terminal import add_config_argument

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - has no other name

_DESCRIPTION = """\
Prints RabbitMQ definitions (JSON): what each service, people's commands (cli) and each publisher of
the configuration may do in one virtual host, and no more. A service publishes its own types, and
reads its own queues. An upstream publisher publishes the types that its entry names, and reads
nothing. Nobody but cli configures anything. The name of the user is the publisher, and proves it.

With --passwords also the users themselves, as salted hashes: import that into an empty broker.
Without it, they have to exist already.

Importing adds users and replaces the rights of these, but removes nobody: delete the user of a
publisher that you took out of the configuration yourself. A system that is to read events needs
another user for that, and a queue of its own: its publisher's rights are replaced. Import again
whenever publishers change, and at every upgrade, before `undeliver broker topology`.
"""
_EXAMPLES = """\
  undeliver broker permissions --config undeliver.yaml --passwords /run/secrets/rabbitmq > defs.json
  rabbitmqctl import_definitions < defs.json     # or at every start: load_definitions = defs.json
  CLI_AMQP_URL=amqps://cli:…@broker.example/%2F undeliver broker topology
"""


def add_arguments(commands: "Commands") -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "permissions",
        help="print RabbitMQ's users and rights, as it imports them",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--vhost", default="/", metavar="NAME", help="the virtual host (default: %(default)s)"
    )
    parser.add_argument(
        "--passwords",
        metavar="DIR",
        type=Path,
        help="a folder with a file for each user that holds its password, such as a mounted secret",
    )
    add_config_argument(parser)


def main(arguments: argparse.Namespace) -> int:
    """Print the definitions."""
    configuration = load_configuration(configuration_path(arguments.config))
    authority = Authority.of(configuration)
    passwords = None
    if arguments.passwords is not None:
        passwords = read_passwords(arguments.passwords, users(authority))
    made = definitions(authority, UNDELIVER, vhost=arguments.vhost, passwords=passwords)
    sys.stdout.write(json.dumps(made, indent=2) + "\n")
    return 0
