"""`$filter` (OData 4.01 §5.1.1), as much of it as mail and directory understand."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

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

Value = str | bool | int | datetime | None
#: Gives what a path stands for; KeyError when there is no such property.
Resolve = Callable[[str], object]


class FilterError(ValueError):
    """The filter cannot be read; the text says where."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """`path operator value`; paths are in lower case. Functions are operators, too."""

    path: str
    operator: str
    value: Value


@dataclass(frozen=True, slots=True)
class Both:
    """`and`."""

    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Either:
    """`or`."""

    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Not:
    """`not`."""

    node: "Node"


@dataclass(frozen=True, slots=True)
class Any:
    """`collection/any(variable: node)`."""

    collection: str
    variable: str
    node: "Node"


Node = Comparison | Both | Either | Not | Any


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


def paths(node: Node) -> Iterator[str]:
    """Name the properties in order of their appearance."""
    match node:
        case Comparison():
            yield node.path
        case Both() | Either():
            yield from paths(node.left)
            yield from paths(node.right)
        case Not():
            yield from paths(node.node)
        case Any():
            yield node.collection


def matches(node: Node, resolve: Resolve, exact: frozenset[str] = frozenset()) -> bool:
    """Say whether it holds. Text is compared in any case of letters, but for paths in `exact`.

    Raises:
        KeyError: a property that does not exist.
        FilterError: kinds that cannot be compared.
    """
    match node:
        case Comparison():
            return _holds(node, resolve(node.path), node.path in exact)
        case Both():
            return matches(node.left, resolve, exact) and matches(node.right, resolve, exact)
        case Either():
            return matches(node.left, resolve, exact) or matches(node.right, resolve, exact)
        case Not():
            return not matches(node.node, resolve, exact)
        case Any():
            return any(
                matches(node.node, _within(node.variable, element), exact)
                for element in _collection(resolve(node.collection))
            )


def _within(variable: str, element: object) -> Resolve:
    def resolve(path: str) -> object:
        head, _, rest = path.partition("/")
        if head != variable:
            raise KeyError(path)
        if not rest:
            return element
        if not isinstance(element, dict):
            raise KeyError(path)
        return {key.lower(): value for key, value in element.items()}[rest]

    return resolve


def _collection(value: object) -> list[object]:
    if not isinstance(value, list | tuple):
        raise FilterError("any() needs a collection.")
    return list(value)


def _holds(comparison: Comparison, actual: object, exact: bool) -> bool:
    wanted: object = comparison.value
    if isinstance(actual, str) and isinstance(wanted, str) and not exact:
        actual, wanted = actual.casefold(), wanted.casefold()
    match comparison.operator:
        case "eq":
            return actual == wanted
        case "ne":
            return actual != wanted
        case "startswith" | "endswith" | "contains":
            return _text_holds(comparison.operator, actual, wanted)
    return _ordered(comparison.operator, actual, wanted)


def _text_holds(function: str, actual: object, wanted: object) -> bool:
    if not isinstance(wanted, str):
        raise FilterError(f"{function} needs text.")
    if not isinstance(actual, str):
        return False
    if function == "contains":
        return wanted in actual
    return actual.startswith(wanted) if function == "startswith" else actual.endswith(wanted)


def _ordered(operator: str, actual: object, wanted: object) -> bool:
    if actual is None:
        return False
    try:
        below: bool = actual < wanted  # type: ignore[operator]
        above: bool = actual > wanted  # type: ignore[operator]
    except TypeError as error:
        raise FilterError("The kinds of the operands differ.") from error
    return {"gt": above, "ge": not below, "lt": below, "le": not above}[operator]


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
