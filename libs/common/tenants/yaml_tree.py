"""YAML as plain values that remember their lines; bounded, and with fewer surprises.

Built from PyYAML's events, so nothing is constructed but mappings, sequences, text, numbers,
booleans and null. Plain words mean what YAML 1.2's core schema says: `no` and `2026-01-01` are
text. A key given twice is a mistake, not an override.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

MAX_FILE_BYTES = 16 * 1024 * 1024
_MAX_DEPTH = 24
#: Counts what aliases stand for, too: a few lines of aliases could mean billions of values.
_MAX_VALUES = 1_000_000

Path = tuple[str | int, ...]
Value: TypeAlias = bool | int | float | str | list["Value"] | dict[str, "Value"] | None

_INTEGER = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]{1,18}|[0-9]{1,18}(\.[0-9]{0,18})?)([eE][-+]?[0-9]{1,3})?", re.ASCII
)
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True, slots=True)
class Flaw:
    """A mistake in the YAML itself."""

    line: int
    path: Path
    problem: str
    remedy: str


class UnreadableYaml(Exception):  # noqa: N818 - it is about the file, not an error of ours
    """The file cannot be read as YAML at all."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw.problem)
        self.flaw = flaw


@dataclass(slots=True)
class Tree:
    """A document: its value, the line of each part (1 is the first), and what was given twice."""

    value: Value = None
    lines: dict[Path, int] = field(default_factory=dict)
    flaws: list[Flaw] = field(default_factory=list)

    def line_of(self, path: Path) -> int:
        """Return the line of a part, or of the nearest part around it that is in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_tree(content: bytes) -> Tree:
    """Return the one document of a file.

    Raises:
        UnreadableYaml: no YAML, more than one document, or beyond the bounds.
    """
    text = _decoded(content)
    try:
        return _Builder(yaml.parse(text, Loader=_LOADER)).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise _unreadable(line, f"is not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise _unreadable(1, "is not YAML: a character that YAML does not allow") from error


#: libyaml where the wheel has it: ten times faster, the same events.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _decoded(content: bytes) -> str:
    if len(content) > MAX_FILE_BYTES:
        limit = MAX_FILE_BYTES // 1024 // 1024
        raise _unreadable(1, f"is larger than {limit} MiB", "split the deployment")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _unreadable(line, "is not UTF-8", "save the file as UTF-8") from None


def _unreadable(line: int, problem: str, remedy: str = "correct it") -> UnreadableYaml:
    return UnreadableYaml(Flaw(line, (), problem, remedy))


class _Builder:
    """One pass over the events of a document."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._tree = Tree()
        #: Of each anchor: its value, and how many values it stands for.
        self._anchors: dict[str, tuple[Value, int]] = {}
        self._values = 0

    def document(self) -> Tree:
        event = self._next()
        while isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent):
            event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            raise _unreadable(1, "the file is empty", "start from `undeliver config example`")
        self._tree.value = self._value(event, ())
        self._next()  # the end of the document
        event = self._next()
        if not isinstance(event, yaml.StreamEndEvent):
            raise _unreadable(
                _line(event), "holds a second document", "keep one document in the file"
            )
        return self._tree

    def _next(self) -> yaml.Event:
        return next(self._events)

    def _value(self, event: yaml.Event, path: Path) -> Value:
        if len(path) > _MAX_DEPTH:
            raise _unreadable(_line(event), f"is nested deeper than {_MAX_DEPTH} levels")
        self._tree.lines.setdefault(path, _line(event))
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if getattr(event, "tag", None) not in {None, "!"}:
            raise _unreadable(_line(event), "uses a tag (`!…`)", "remove it")
        before = self._values
        self._count(event, 1)
        if isinstance(event, yaml.MappingStartEvent):
            value: Value = self._mapping(path)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(path)
        else:
            value = _scalar(event)
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            self._anchors[anchor] = (value, self._values - before)
        return value

    def _mapping(self, path: Path) -> dict[str, Value]:
        mapping: dict[str, Value] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise _unreadable(_line(event), "has a key that is no text", "write a field's name")
            key, line = event.value, _line(event)
            inner = (*path, key)
            if key in mapping:
                first = self._tree.lines[inner]
                self._tree.flaws.append(
                    Flaw(line, inner, f"given twice, first in line {first}", "keep one")
                )
            else:
                self._tree.lines[inner] = line
            mapping[key] = self._value(self._next(), inner)
        return mapping

    def _sequence(self, path: Path) -> list[Value]:
        sequence: list[Value] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            sequence.append(self._value(event, (*path, len(sequence))))
        return sequence

    def _alias(self, event: yaml.AliasEvent) -> Value:
        if event.anchor not in self._anchors:
            raise _unreadable(_line(event), f"*{event.anchor}: no such anchor before it")
        value, size = self._anchors[event.anchor]
        self._count(event, size)
        return value

    def _count(self, event: yaml.Event, values: int) -> None:
        self._values += values
        if self._values > _MAX_VALUES:
            raise _unreadable(
                _line(event), f"holds more than {_MAX_VALUES} values, aliases included"
            )


def _line(event: yaml.Event) -> int:
    return int(event.start_mark.line) + 1 if event.start_mark else 1


def _scalar(event: yaml.Event) -> str | int | float | bool | None:
    text: str = getattr(event, "value", "")
    if getattr(event, "style", None) not in {None, ""} or getattr(event, "tag", None) == "!":
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
