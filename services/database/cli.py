"""`undeliver database`: make a database ready for the services."""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from libs.common.broker.topology import UNDELIVER
from libs.common.database.provisioning import CLI, SERVICES, Plan
from libs.common.errors import ConfigurationError
from libs.common.instance import CliSettings
from libs.common.passwords import read_passwords
from libs.common.runtime import run_command
from libs.common.settings import configuration_path, read_settings
from libs.common.tenants.loading import load_configuration
from libs.common.terminal import Output, add_config_argument, add_json_argument
from services.database.settings import Settings

#: Postgres cuts longer names.
_DATABASE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}")
_PROVISION = """\
Creates what is missing in the database that DATABASE_ADMIN_DSN names: a role undeliver_<name> for
each service and for people's commands (cli), and a schema for each service. With the queue, also
its schema, its queues, and a role for each publisher of the configuration. What is there is left
alone; nothing is ever removed. The services make their own tables when they start.

DATABASE_ADMIN_DSN is a superuser's, or that of a role with CREATEROLE that may create schemas there
(with --create-database: databases). Nothing but this command needs it.
"""
_EXAMPLES = """\
four services on RabbitMQ:
  DATABASE_ADMIN_DSN=postgresql://admin@db/postgres undeliver database provision \\
      --create-database undeliver --no-queue --passwords /run/secrets/postgres
then each has its own address: INGEST_POSTGRES_DSN=postgresql://undeliver_ingest:…@db/undeliver

for an administrator who runs it himself:
  undeliver database provision --sql --no-queue --passwords DIR > provision.sql
  psql -v ON_ERROR_STOP=1 -d undeliver -f provision.sql
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands."""
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    provision = commands.add_parser(
        "provision",
        help="create roles, schemas and the queue in a Postgres of yours",
        description=_PROVISION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    provision.add_argument(
        "--create-database",
        metavar="NAME",
        type=_database,
        help="provision this database, not the one that DATABASE_ADMIN_DSN names, and create it "
        "first where it does not exist",
    )
    provision.add_argument(
        "--passwords",
        metavar="DIR",
        type=Path,
        help="a folder with a file for each role, without its undeliver_, that holds its password; "
        "without it, passwords stay as they are",
    )
    provision.add_argument(
        "--queue",
        action=argparse.BooleanOptionalAction,
        help="with the queue in Postgres, or without (default: with, unless CLI_AMQP_URL is set)",
    )
    provision.add_argument(
        "--sql",
        action="store_true",
        help="print a script for psql that does it, and connect to nothing; it holds passwords as "
        "salted SCRAM verifiers only, and may be run again",
    )
    add_config_argument(provision)
    add_json_argument(provision)


def main(arguments: argparse.Namespace) -> int:
    """Run one subcommand."""
    from services.database import provisioning

    output = Output(as_json=arguments.json)
    plan = _plan(arguments, output)
    if arguments.sql:
        sys.stdout.write(provisioning.script(plan, UNDELIVER, arguments.create_database))
        return 0
    dsn = read_settings(Settings).admin_dsn
    if dsn is None:
        raise ConfigurationError(
            "DATABASE_ADMIN_DSN is not set; set it to postgresql://admin@host/database, or have a "
            "script printed with --sql"
        )
    return run_command(
        partial(
            provisioning.provision,
            output,
            plan,
            dsn.get_secret_value(),
            database=arguments.create_database,
        )
    )


def _database(name: str) -> str:
    if not _DATABASE.fullmatch(name):
        raise argparse.ArgumentTypeError("takes up to 63 letters, digits, _ and -")
    return name


def _plan(arguments: argparse.Namespace, output: Output) -> Plan:
    with_queue = arguments.queue
    if with_queue is None:
        with_queue = read_settings(CliSettings).amqp_url is None
    publishers = _publishers(arguments.config, output) if with_queue else ()
    return Plan(
        with_queue=with_queue,
        publishers=publishers,
        passwords=_passwords(arguments.passwords, publishers),
    )


def _publishers(config: Path | None, output: Output) -> Sequence[str]:
    path = configuration_path(config)
    if path is None:
        output.note("no configuration named: no roles for its publishers (--config FILE)")
        return ()
    return [each.name for each in load_configuration(path).publishers]


def _passwords(folder: Path | None, publishers: Sequence[str]) -> Mapping[str, str]:
    """Return a password for everybody who signs in: the queue's owner does not."""
    if folder is None:
        return {}
    return read_passwords(folder, dict.fromkeys((*SERVICES, CLI, *publishers)))
