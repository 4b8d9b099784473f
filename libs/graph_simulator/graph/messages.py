"""Reading, changing, moving and deleting one message (Graph v1.0, message)."""

from libs.graph_simulator.graph import extended_properties
from libs.graph_simulator.graph.answers import context, entity, represent
from libs.graph_simulator.graph.calls import Call
from libs.graph_simulator.graph.errors import (
    GraphError,
    bad_request,
    cannot_delete,
    item_not_found,
)
from libs.graph_simulator.graph.lookups import find_folder, find_item
from libs.graph_simulator.graph.queries import read_query
from libs.graph_simulator.graph.requests import GraphResponse
from libs.graph_simulator.world.folders import (
    DELETIONS,
    PURGES,
    Folder,
)
from libs.graph_simulator.world.items import Item

_MISSING_CODES = {404: "ResourceNotFound", 405: "Request_BadRequest", 501: "NotImplemented"}


def get_message(call: Call) -> GraphResponse:
    """One copy, wherever in the mailbox it lies."""
    item = find_item(call)
    query = read_query(call.request, default_top=10, largest_top=1000)
    return call.answer(200, {"@odata.context": context(call)} | represent(call, item, query))


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
    return entity(call, item, 200)


def move_message(call: Call) -> GraphResponse:
    """Move: 201 with the message, which has another ordinary id from then on."""
    item = find_item(call)
    target = _destination(call)
    purged = call.mailbox.folder_name(item.folder) == PURGES
    if purged and not call.world.options.purges_movable and target.number != item.folder:
        raise item_not_found()
    call.mailbox.move(item, target, call.world.clock.now(), "application")
    return entity(call, item, 201)


def copy_message(call: Call) -> GraphResponse:
    """Copy: 201 with the new message."""
    twin = call.mailbox.copy(find_item(call), _destination(call), call.world.clock.now())
    return entity(call, twin, 201)


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
    if call.mailbox.is_recoverable(item):
        raise cannot_delete()
    target = call.mailbox.well_known(call.world.options.delete_target)
    if target.number == item.folder:
        target = call.mailbox.well_known(DELETIONS)
    call.mailbox.move(item, target, call.world.clock.now(), "application")
    return call.answer(204)


def _destination(call: Call) -> Folder:
    given = {name.lower(): value for name, value in call.json_body().items()}
    name = given.get("destinationid")
    if not isinstance(name, str) or not name:
        raise bad_request("The parameter destinationId is required.", "ErrorInvalidRequest")
    return find_folder(call, name)


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
