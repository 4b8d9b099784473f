"""What a `$filter` says, and whether it holds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

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
        # Whether these two kinds compare is what is being found out.
        below: bool = actual < wanted  # type: ignore[operator]
        above: bool = actual > wanted  # type: ignore[operator]
    except TypeError as error:
        raise FilterError("The kinds of the operands differ.") from error
    return {"gt": above, "ge": not below, "lt": below, "le": not above}[operator]
