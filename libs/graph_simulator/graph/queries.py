"""The `$` options of a request, checked."""

from dataclasses import dataclass
from urllib.parse import quote

from libs.graph_simulator.graph.errors import GraphError, bad_request, unparsable
from libs.graph_simulator.graph.filter_parsing import parse
from libs.graph_simulator.graph.filters import FilterError, Node
from libs.graph_simulator.graph.requests import Exchange, GraphRequest

_KNOWN = frozenset(
    {
        "$select",
        "$filter",
        "$top",
        "$skip",
        "$orderby",
        "$expand",
        "$count",
        "$skiptoken",
        "$search",
    }
)


@dataclass(frozen=True, slots=True)
class Query:
    """What a listing is asked for. Names in `select` are in lower case; None is the usual set."""

    select: tuple[str, ...] | None
    filter: Node | None
    orderby: tuple[tuple[str, bool], ...]
    expand: str
    top: int
    skip: int
    wants_count: bool
    skip_token: str


def read_query(request: GraphRequest, *, default_top: int, largest_top: int) -> Query:
    """Read the options.

    Raises:
        GraphError: an unknown option, or one that makes no sense.
    """
    given = request.query
    unknown = sorted(name for name in given if name.startswith("$") and name not in _KNOWN)
    if unknown:
        raise bad_request(f"Query option '{unknown[0]}' is not allowed.")
    if "$search" in given:
        raise bad_request("The simulator does not search.", "SearchNotSupported")
    select = [name.strip().lower() for name in given.get("$select", "").split(",")]
    top = _number(given, "$top", default_top)
    if top > largest_top:
        raise bad_request(
            f"The limit of '{largest_top}' for Top query has been exceeded. "
            f"The value from the incoming request is '{top}'."
        )
    return Query(
        select=tuple(filter(None, select)) or None,
        filter=_filter(given.get("$filter", "")),
        orderby=_orderby(given.get("$orderby", "")),
        expand=given.get("$expand", ""),
        top=top,
        skip=_number(given, "$skip", 0),
        wants_count=given.get("$count", "").lower() == "true",
        skip_token=given.get("$skiptoken", ""),
    )


def next_link(exchange: Exchange, request: GraphRequest, option: str, value: str) -> str:
    """Write where the next page is: the same request with one option changed."""
    query = {name: text for name, text in request.query.items() if name != option}
    query[option] = value
    text = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    return f"{exchange.base_url}/{request.version}/{request.path}?{text}"


def _number(given: dict[str, str], name: str, default: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    smallest = 1 if name == "$top" else 0
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < smallest:
        raise bad_request(f"Invalid value '{text}' for {name} query option found.")
    return int(text)


def _filter(text: str) -> Node | None:
    if not text.strip():
        return None
    try:
        return parse(text)
    except FilterError as error:
        raise unparsable(f"Invalid filter clause: {error}") from error


def _orderby(text: str) -> tuple[tuple[str, bool], ...]:
    parts = [part.split() for part in text.split(",") if part.strip()]
    if any(len(part) > 2 or part[1:] not in ([], ["asc"], ["desc"]) for part in parts):
        raise unparsable("Syntax error in $orderby.")
    return tuple((part[0].lower(), part[1:] == ["desc"]) for part in parts)


def inefficient() -> GraphError:
    """A filter and an order that do not go together (Graph v1.0, List messages)."""
    return GraphError(
        400,
        "InefficientFilter",
        "The restriction or sort order is too complex for this operation.",
    )
