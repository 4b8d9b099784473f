"""What people type, as values: types for `argparse`."""

import argparse
import getpass
from collections.abc import Callable
from datetime import UTC, datetime


def instant(text: str) -> datetime:
    """Return an ISO 8601 time; without an offset it is UTC."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not an ISO 8601 time: {text}") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def between(least: int, most: int) -> Callable[[str], int]:
    """Return a type of whole numbers within these bounds."""

    def number(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"takes a number from {least} to {most}")
        return int(text)

    return number


def login() -> str:
    """Return who runs a command, as far as the system knows."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return "cli"
