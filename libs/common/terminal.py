"""What commands print: tables for people, JSON for programs, neither driven by what mail says."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path, PurePath
from typing import IO
from uuid import UUID

from pydantic import BaseModel, SecretStr
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from libs.common.visible import bounded, visible

#: What one cell of a table shows; JSON always holds everything.
MAX_CELL_CHARACTERS = 300
_PIPE_WIDTH = 10_000

Record = Mapping[str, object] | BaseModel


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    """Give a command `--json`."""
    parser.add_argument(
        "--json", action="store_true", help="print JSON only, one object a line; the rest to stderr"
    )


def add_config_argument(parser: argparse.ArgumentParser) -> None:
    """Give a command `--config FILE`; see `libs.common.settings.configuration_path`."""
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help="configuration (default: $UNDELIVER_CONFIG)"
    )


class Output:
    """Where a command prints its results.

    `as_json`: stdout holds one JSON object a line and nothing else. Everything that is not a
    result goes to stderr in both forms.
    """

    def __init__(
        self, *, as_json: bool, stdout: IO[str] | None = None, stderr: IO[str] | None = None
    ) -> None:
        self.as_json = as_json
        self._stdout = stdout or sys.stdout
        self._stderr = stderr or sys.stderr

    def record(self, record: Record) -> None:
        """Print one object: a line of JSON, or `name  value` lines for people."""
        if self.as_json:
            self._print_json(record)
            return
        rows = [(_title(name), cell(value)) for name, value in as_mapping(record).items()]
        self._print_table(rows, header=None)

    def records(
        self, records: Iterable[Record], columns: Sequence[str], *, empty: str = "nothing found"
    ) -> None:
        """Print a list in the order given: JSON at once and whole, or a table of these columns."""
        if self.as_json:
            for record in records:
                self._print_json(record)
            return
        every = [as_mapping(record) for record in records]
        rows = [tuple(cell(fields.get(column)) for column in columns) for fields in every]
        if rows:
            self._print_table(rows, header=[_title(column) for column in columns])
        else:
            self.note(empty)

    def text(self, text: str) -> None:
        """Print words for people; not with `--json`."""
        if not self.as_json:
            self._stdout.write(_lines(text))

    def note(self, text: str) -> None:
        """Print words about the work, such as progress or a warning, to stderr."""
        self._stderr.write(_lines(text))
        self._stderr.flush()

    @contextmanager
    def progress(self, activity: str, total: int | None = None) -> Iterator[Callable[[], None]]:
        """Show long work on stderr; call what this gives once for each piece done.

        A bar on a terminal; else one line at the end.
        """
        if self._stderr.isatty():
            with self._bar(activity, total) as step:
                yield step
            return
        done = 0

        def count() -> None:
            nonlocal done
            done += 1

        try:
            yield count
        finally:
            self.note(f"{activity}: {done}" + (f" of {total}" if total is not None else ""))

    @contextmanager
    def _bar(self, activity: str, total: int | None) -> Iterator[Callable[[], None]]:
        with Progress(console=_console(self._stderr), transient=True) as bar:
            task = bar.add_task(visible(activity), total=total)
            yield lambda: bar.advance(task)

    def _print_json(self, record: Record) -> None:
        # In ASCII: no character can drive a terminal, and no locale can break the line.
        line = json.dumps(as_mapping(record), default=_plain, ensure_ascii=True, allow_nan=False)
        self._stdout.write(line + "\n")
        self._stdout.flush()

    def _print_table(self, rows: Sequence[tuple[str, ...]], header: Sequence[str] | None) -> None:
        table = Table(box=box.SIMPLE_HEAD if header else None, show_header=header is not None)
        for name in header or ("", ""):
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*(Text(each) for each in row))
        _console(self._stdout).print(table)


def _title(name: str) -> str:
    return visible(name.replace("_", " "))


def as_mapping(record: Record) -> Mapping[str, object]:
    """Return a record's fields; those of a contract as they go over the wire."""
    if isinstance(record, BaseModel):
        return record.model_dump(mode="json", by_alias=True)
    return record


def cell(value: object) -> str:
    """Return a value as people read it: safe to show, on one line, bounded."""
    return bounded(visible(_words(value)), MAX_CELL_CHARACTERS)


def _words(value: object) -> str:
    match value:
        case None | bool():
            return {None: "–", True: "yes", False: "no"}[value]
        case float():
            return f"{value:.3f}".rstrip("0").rstrip(".")
        case str() | int():
            return str(value)
        case Mapping():
            return ", ".join(f"{key}: {_words(each)}" for key, each in value.items()) or "–"
        case list() | tuple():
            return ", ".join(_words(each) for each in value) or "–"
        case _:
            return _words(_plain(value))


def _plain(value: object) -> object:
    """Return what JSON has no word for, as our interfaces say it: times in UTC."""
    match value:
        case date():
            return _instant(value)
        case Enum():
            return value.value
        case BaseModel():
            return as_mapping(value)
        case set() | frozenset():
            return sorted(value, key=str)
        case UUID() | PurePath() | SecretStr():
            return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    raise TypeError(f"cannot be printed: {type(value).__name__}")


def _instant(value: date) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat()


def _lines(text: str) -> str:
    return "".join(visible(line) + "\n" for line in text.split("\n"))


def _console(stream: IO[str]) -> Console:
    # Whoever reads through a pipe wants whole lines, not eighty columns.
    width = None if stream.isatty() else _PIPE_WIDTH
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)
