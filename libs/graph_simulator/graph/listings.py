"""Listing messages: filter, order, pages (Graph v1.0, List messages)."""

from libs.graph_simulator.graph import extended_properties, rendering
from libs.graph_simulator.graph.answers import represent
from libs.graph_simulator.graph.calls import Call
from libs.graph_simulator.graph.errors import id_malformed, no_such_property, unparsable
from libs.graph_simulator.graph.filters import (
    Both,
    Comparison,
    Either,
    FilterError,
    Node,
    Resolve,
    matches,
    paths,
)
from libs.graph_simulator.graph.lookups import find_folder
from libs.graph_simulator.graph.queries import Query, inefficient, next_link, read_query
from libs.graph_simulator.graph.rendering import Shown
from libs.graph_simulator.graph.requests import GraphResponse
from libs.graph_simulator.world import ids
from libs.graph_simulator.world.items import Item
from libs.graph_simulator.world.mailbox import Mailbox


def list_messages(call: Call) -> GraphResponse:
    """All folders but Recoverable Items; the count is known to be wrong about that."""
    mailbox = call.mailbox
    query = read_query(call.request, default_top=10, largest_top=1000)
    candidates = _candidates(mailbox, query.filter)
    visible = [item for item in candidates if not mailbox.is_recoverable(item)]
    excess = len(candidates) - len(visible) + call.world.options.count_excess
    return _page(call, query, visible, excess)


def list_folder_messages(call: Call) -> GraphResponse:
    """One folder, Recoverable Items included if named."""
    folder = find_folder(call, call.parameters["folder"])
    query = read_query(call.request, default_top=10, largest_top=1000)
    inside = [
        item for item in _candidates(call.mailbox, query.filter) if item.folder == folder.number
    ]
    return _page(call, query, inside, 0)


def _candidates(mailbox: Mailbox, node: Node | None) -> list[Item]:
    """Narrow down by what is indexed; the filter itself is applied afterwards."""
    found = _indexed(mailbox, node) if node else None
    return list(mailbox) if found is None else list(dict.fromkeys(found))


def _indexed(mailbox: Mailbox, node: Node) -> list[Item] | None:
    match node:
        case Comparison("internetmessageid", "eq", str(value)):
            return mailbox.with_message_id(value)
        case Comparison("conversationid", "eq", str(value)):
            return _of_conversation(mailbox, value)
        case Both(left, right):
            found = _indexed(mailbox, left)
            return found if found is not None else _indexed(mailbox, right)
        case Either(left, right):
            first, second = _indexed(mailbox, left), _indexed(mailbox, right)
            return None if first is None or second is None else first + second
    return None


def _of_conversation(mailbox: Mailbox, text: str) -> list[Item]:
    try:
        parsed = ids.parse(text)
    except ids.MalformedIdError as error:
        raise id_malformed() from error
    ours = parsed.kind == "conversation" and parsed.mailbox_guid == mailbox.guid
    return mailbox.in_conversation(parsed.payload) if ours else []


def _page(call: Call, query: Query, items: list[Item], excess: int) -> GraphResponse:
    _check_order(query)
    found = sorted(_filtered(call, query, items), key=lambda item: item.number, reverse=True)
    found.sort(key=lambda item: item.delivered_at, reverse=True)
    for path, descending in reversed(query.orderby):
        found.sort(key=lambda item: _order_key(call, item, path), reverse=descending)
    body: dict[str, object] = {"@odata.context": f"{call.context}users/messages"}
    if query.wants_count:
        body["@odata.count"] = len(found) + excess
    page = found[query.skip : query.skip + query.top]
    body["value"] = [represent(call, item, query) for item in page]
    if len(found) > query.skip + query.top:
        position = str(query.skip + query.top)
        body["@odata.nextLink"] = next_link(call.exchange, call.request, "$skip", position)
    return call.answer(200, body)


def _filtered(call: Call, query: Query, items: list[Item]) -> list[Item]:
    node = query.filter
    if node is None:
        return items
    exact = {"conversationid", "parentfolderid"}
    if call.world.options.message_id_case_sensitive:
        exact.add("internetmessageid")
    _check_paths(call, node)
    try:
        return [item for item in items if matches(node, _resolver(call, item), frozenset(exact))]
    except KeyError as error:
        raise no_such_property(str(error.args[0])) from error
    except FilterError as error:
        raise unparsable(f"Invalid filter clause: {error}") from error


def _check_paths(call: Call, node: Node) -> None:
    """An unknown property is refused even where no copy is left to compare."""
    for path in paths(node):
        if path not in rendering.COMPARABLE_PATHS and path != "singlevalueextendedproperties":
            raise no_such_property(path)


def _resolver(call: Call, item: Item) -> Resolve:
    shown = Shown(call.mailbox, item, call.immutable)

    def resolve(path: str) -> object:
        if path == "singlevalueextendedproperties":
            known = extended_properties.properties(call.mailbox, item)
            return [{"id": key, "value": value} for key, value in known.items()]
        return rendering.comparable(shown, path)

    return resolve


def _check_order(query: Query) -> None:
    """What is ordered by must come first in the filter, in the same order."""
    for path, _ in query.orderby:
        if path not in rendering.COMPARABLE_PATHS:
            raise no_such_property(path)
    if query.filter is None or not query.orderby:
        return
    filtered = list(dict.fromkeys(paths(query.filter)))
    ordered = [path for path, _ in query.orderby]
    if filtered[: len(ordered)] != ordered:
        raise inefficient()


def _order_key(call: Call, item: Item, path: str) -> tuple[bool, object]:
    value = rendering.comparable(Shown(call.mailbox, item, immutable=False), path)
    return value is not None, value if value is not None else ""
