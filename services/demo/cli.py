"""`undeliver demo`."""

import argparse
from functools import partial

from libs.common.runtime import run_command
from libs.common.terminal import Output, add_json_argument
from services.demo.app import demonstrate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    add_json_argument(parser)
    parser.add_argument("--keep", action="store_true", help="leave the data folder behind")
    parser.add_argument(
        "--serve", action="store_true", help="go on running afterwards, until interrupted"
    )


def main(arguments: argparse.Namespace) -> int:
    """Run the demonstration, and return 0 if the mailboxes look as our record says."""
    return run_command(
        partial(
            demonstrate,
            Output(as_json=arguments.json),
            keeps=arguments.keep,
            serves=arguments.serve,
        )
    )
