"""`$filter` (OData 4.01 §5.1.1), as much of it as mail and directory understand."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from libs.graph_simulator.graph.filters import (
    Any,
    Both,
    Comparison,
    Either,
    FilterError,
    Node,
    Not,
    Value,
)

_LONGEST = 16_384
_DEEPEST = 32
_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')"
    r"|(?P<time>\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)?|\d{4}-\d\d-\d\d(?![\w-]))"
    r"|(?P<number>-?\d+(?![\w-]))"
    r"|(?P<word>[A-Za-z_][\w./-]*)"
    r"|(?P<mark>[(),:]))"
)
_OPERATORS = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
_FUNCTIONS = frozenset({"startswith", "endswith", "contains"})


def parse(text: str) -> Node:
    """Read a filter.

    Raises:
        FilterError: it is not one, too long, or nested too deep.
    """
    if len(text) > _LONGEST:
        raise FilterError("The filter is too long.")
    parser = _Parser(text)
    node = parser.either(0)
    parser.expect_end()
    return node


class _Parser:
    """Recursive descent; `or` binds weaker than `and`, `and` weaker than `not`."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0

    def either(self, depth: int) -> Node:
        if depth > _DEEPEST:
            raise FilterError("The filter is nested too deep.")
        node = self._both(depth)
        while self._accept("or"):
            node = Either(node, self._both(depth))
        return node

    def expect_end(self) -> None:
        if self._at < len(self._tokens):
            raise FilterError(f"Syntax error at '{self._tokens[self._at][1]}'.")

    def _both(self, depth: int) -> Node:
        node = self._single(depth)
        while self._accept("and"):
            node = Both(node, self._single(depth))
        return node

    def _single(self, depth: int) -> Node:
        if self._accept("not"):
            if depth > _DEEPEST:
                raise FilterError("The filter is nested too deep.")
            return Not(self._single(depth + 1))
        if self._accept("("):
            node = self.either(depth + 1)
            self._expect(")")
            return node
        return self._term(depth)

    def _term(self, depth: int) -> Node:
        kind, name = self._next()
        if kind != "word":
            raise FilterError(f"Syntax error at '{name}'.")
        lowered = name.lower()
        if lowered in _FUNCTIONS:
            return self._function(lowered)
        if lowered.endswith("/any"):
            return self._any(lowered.removesuffix("/any"), depth)
        operator = self._next()[1].lower()
        if operator not in _OPERATORS:
            raise FilterError(f"'{operator}' is not an operator.")
        return Comparison(lowered, operator, self._value())

    def _function(self, name: str) -> Node:
        self._expect("(")
        path = self._next()[1].lower()
        self._expect(",")
        value = self._value()
        self._expect(")")
        return Comparison(path, name, value)

    def _any(self, collection: str, depth: int) -> Node:
        self._expect("(")
        variable = self._next()[1].lower()
        self._expect(":")
        node = self.either(depth + 1)
        self._expect(")")
        return Any(collection, variable, node)

    def _value(self) -> Value:
        kind, text = self._next()
        if kind == "string":
            return text[1:-1].replace("''", "'")
        if kind == "number":
            return int(text)
        if kind == "time":
            return _time(text)
        words: dict[str, Value] = {"true": True, "false": False, "null": None}
        if kind == "word" and text.lower() in words:
            return words[text.lower()]
        raise FilterError(f"'{text}' is not a value.")

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise FilterError("The filter ends too early.")
        self._at += 1
        return self._tokens[self._at - 1]

    def _accept(self, text: str) -> bool:
        if self._at < len(self._tokens):
            kind, found = self._tokens[self._at]
            if kind != "string" and found.lower() == text:
                self._at += 1
                return True
        return False

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise FilterError(f"'{text}' is missing.")


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    text = text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise FilterError(f"Syntax error at position {at}.")
        yield found.lastgroup, found.group(found.lastgroup)
        at = found.end()


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise FilterError(f"'{text}' is not a time.") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)
