"""Listing, reading, changing, moving and deleting messages (Graph v1.0, message)."""

from libs.graph_simulator.graph import extended_properties, rendering
from libs.graph_simulator.graph.calls import Call
from libs.graph_simulator.graph.errors import (
    GraphError,
    bad_request,
    cannot_delete,
    id_malformed,
    id_of_other_mailbox,
    item_not_found,
    no_such_property,
    unparsable,
)
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
from libs.graph_simulator.graph.queries import Query, inefficient, next_link, read_query
from libs.graph_simulator.graph.rendering import Shown
from libs.graph_simulator.graph.requests import GraphResponse
from libs.graph_simulator.world import ids
from libs.graph_simulator.world.folders import (
    ARCHIVE_MAILBOX_NAMES,
    DELETIONS,
    PURGES,
    WELL_KNOWN,
    Folder,
)
from libs.graph_simulator.world.items import Item
from libs.graph_simulator.world.mailbox import Mailbox

_MISSING_CODES = {404: "ResourceNotFound", 405: "Request_BadRequest", 501: "NotImplemented"}


def list_messages(call: Call) -> GraphResponse:
    """All folders but Recoverable Items; the count is known to be wrong about that."""
    mailbox = call.mailbox
    query = read_query(call.request, default_top=10, largest_top=1000)
    candidates = _candidates(mailbox, query.filter)
    visible = [item for item in candidates if not _is_recoverable(mailbox, item)]
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


def get_message(call: Call) -> GraphResponse:
    """One copy, wherever in the mailbox it lies."""
    item = find_item(call)
    query = read_query(call.request, default_top=10, largest_top=1000)
    body = {"@odata.context": f"{call.context}users('{call.parameters['user']}')/messages/$entity"}
    return call.answer(200, body | _rendered(call, item, query))


def get_mime(call: Call) -> GraphResponse:
    """The bytes as stored (`$value`)."""
    response = call.answer(200)
    response.body = find_item(call).message.mime
    return response


def patch_message(call: Call) -> GraphResponse:
    """Change flags, categories and extended properties; answers the whole message."""
    item = find_item(call)
    changes = {name.lower(): value for name, value in call.json_body().items()}
    for name, value in changes.items():
        _check_change(name, value)
    extended = changes.pop("singlevalueextendedproperties", None)
    if extended is not None:
        extended_properties.change(item, extended)
    for name, value in changes.items():
        _change(call, item, name, value)
    item.changes += 1
    item.modified_at = call.world.clock.now()
    return _whole(call, item, 200)


def move_message(call: Call) -> GraphResponse:
    """Move: 201 with the message, which has another ordinary id from then on."""
    item = find_item(call)
    target = _destination(call)
    purged = call.mailbox.folder_name(item.folder) == PURGES
    if purged and not call.world.options.purges_movable and target.number != item.folder:
        raise item_not_found()
    call.mailbox.move(item, target, call.world.clock.now(), "application")
    return _whole(call, item, 201)


def copy_message(call: Call) -> GraphResponse:
    """Copy: 201 with the new message."""
    twin = call.mailbox.copy(find_item(call), _destination(call), call.world.clock.now())
    return _whole(call, twin, 201)


def permanently_delete(call: Call) -> GraphResponse:
    """To Purges; only the global cloud has it."""
    if call.tenant.cloud != "global":
        status = call.world.options.permanent_delete_missing_status
        raise GraphError(status, _MISSING_CODES[status], "The resource could not be found.")
    item = find_item(call)
    if call.mailbox.folder_name(item.folder) == PURGES:
        raise cannot_delete()
    call.mailbox.move(item, call.mailbox.purges(), call.world.clock.now(), "application")
    return call.answer(204)


def delete_message(call: Call) -> GraphResponse:
    """Delete; what lies in Recoverable Items already cannot be deleted again."""
    item = find_item(call)
    if _is_recoverable(call.mailbox, item):
        raise cannot_delete()
    target = call.mailbox.well_known(call.world.options.delete_target)
    if target.number == item.folder:
        target = call.mailbox.well_known(DELETIONS)
    call.mailbox.move(item, target, call.world.clock.now(), "application")
    return call.answer(204)


def find_item(call: Call) -> Item:
    """Look the message of the path up.

    Raises:
        GraphError: damaged, of another mailbox, or not there (any more).
    """
    parsed = _parsed(call, call.parameters["message"])
    item = call.mailbox.find_item(parsed)
    if item is None:
        raise item_not_found()
    return item


def find_folder(call: Call, name: str) -> Folder:
    """Look a folder up by id or well-known name, in any case of letters.

    Raises:
        GraphError: damaged, of another mailbox, or not there.
    """
    known = WELL_KNOWN.get(name.lower())
    if known is not None and (known.listed or call.world.options.unlisted_folder_names):
        return call.mailbox.well_known(known.name)
    if name.lower() in ARCHIVE_MAILBOX_NAMES:
        raise id_of_other_mailbox()
    folder = call.mailbox.find_folder(_parsed(call, name))
    if folder is None:
        raise item_not_found()
    return folder


def _parsed(call: Call, text: str) -> ids.ParsedId:
    try:
        parsed = ids.parse(text)
    except ids.MalformedIdError as error:
        raise id_malformed() from error
    if parsed.mailbox_guid not in (None, call.mailbox.guid):
        raise id_of_other_mailbox()
    return parsed


def _destination(call: Call) -> Folder:
    given = {name.lower(): value for name, value in call.json_body().items()}
    name = given.get("destinationid")
    if not isinstance(name, str) or not name:
        raise bad_request("The parameter destinationId is required.", "ErrorInvalidRequest")
    return find_folder(call, name)


def _is_recoverable(mailbox: Mailbox, item: Item) -> bool:
    folder = mailbox.folder(item.folder)
    return folder is not None and folder.is_recoverable


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
    body["value"] = [_rendered(call, item, query) for item in page]
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


def _rendered(call: Call, item: Item, query: Query) -> dict[str, object]:
    rendered = rendering.message(Shown(call.mailbox, item, call.immutable), query.select)
    wanted = extended_properties.wanted_ids(query.expand)
    if wanted:
        extended = extended_properties.expanded(call.mailbox, item, wanted)
        if extended:
            rendered["singleValueExtendedProperties"] = extended
    return rendered


def _whole(call: Call, item: Item, status: int) -> GraphResponse:
    body: dict[str, object] = {
        "@odata.context": f"{call.context}users('{call.parameters['user']}')/messages/$entity"
    }
    shown = Shown(call.mailbox, item, call.immutable)
    return call.answer(status, body | rendering.message(shown, None))


_CHANGEABLE: dict[str, type] = {
    "isread": bool,
    "isreadreceiptrequested": bool,
    "isdeliveryreceiptrequested": bool,
    "categories": list,
    "importance": str,
    "flag": dict,
    "singlevalueextendedproperties": list,
}


def _check_change(name: str, value: object) -> None:
    if name.startswith("@odata"):
        return
    kind = _CHANGEABLE.get(name)
    if kind is None:
        raise bad_request(f"The property '{name}' cannot be changed.", "ErrorInvalidPropertySet")
    if not isinstance(value, kind):
        raise bad_request(
            f"Cannot convert the value of '{name}' to the expected type.", "RequestBodyRead"
        )


def _change(call: Call, item: Item, name: str, value: object) -> None:
    if name == "isread":
        call.mailbox.mark_read(item, bool(value), call.world.clock.now())
    elif name == "isreadreceiptrequested":
        item.wants_read_receipt = bool(value)
    elif name == "isdeliveryreceiptrequested":
        item.wants_delivery_receipt = bool(value)
    elif name == "categories" and isinstance(value, list):
        item.categories = tuple(str(one)[:255] for one in value[:25])
    elif name == "importance":
        item.importance = str(value).lower()
    elif name == "flag" and isinstance(value, dict):
        item.flag = str(value.get("flagStatus", item.flag))
