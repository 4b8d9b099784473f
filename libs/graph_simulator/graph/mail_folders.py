"""Folders (Graph v1.0, mailFolder)."""

from libs.graph_simulator.graph import rendering
from libs.graph_simulator.graph.calls import Call
from libs.graph_simulator.graph.lookups import find_folder
from libs.graph_simulator.graph.queries import next_link, read_query
from libs.graph_simulator.graph.requests import GraphResponse
from libs.graph_simulator.world.folders import ROOT, Folder


def list_folders(call: Call) -> GraphResponse:
    """The folders directly below the root; Recoverable Items are never among them."""
    return _page(call, call.mailbox.well_known(ROOT))


def list_child_folders(call: Call) -> GraphResponse:
    """The folders directly below one."""
    return _page(call, find_folder(call, call.parameters["folder"]))


def get_folder(call: Call) -> GraphResponse:
    """One folder by id or well-known name."""
    folder = find_folder(call, call.parameters["folder"])
    body = {"@odata.context": f"{call.context}users/mailFolders/$entity"}
    return call.answer(200, body | _selected(call, folder, None))


def _page(call: Call, parent: Folder) -> GraphResponse:
    query = read_query(call.request, default_top=10, largest_top=1000)
    with_hidden = call.request.query.get("includehiddenfolders", "").lower() == "true"
    found = [one for one in call.mailbox.children(parent) if with_hidden or not one.is_hidden]
    page = found[query.skip : query.skip + query.top]
    body: dict[str, object] = {
        "@odata.context": f"{call.context}users/mailFolders",
        "value": [_selected(call, folder, query.select) for folder in page],
    }
    if len(found) > query.skip + query.top:
        position = str(query.skip + query.top)
        body["@odata.nextLink"] = next_link(call.exchange, call.request, "$skip", position)
    return call.answer(200, body)


def _selected(call: Call, folder: Folder, select: tuple[str, ...] | None) -> dict[str, object]:
    beta = call.request.version == "beta"
    whole = rendering.folder(call.mailbox, folder, beta=beta)
    if select is None:
        return whole
    return {name: value for name, value in whole.items() if name.lower() in {"id", *select}}
